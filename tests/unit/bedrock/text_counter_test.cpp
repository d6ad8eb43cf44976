#include "bedrock/text_counter.h"

#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace weir::bedrock {
namespace {

std::uint64_t seed() {
    const char* const given = std::getenv("WEIR_SEED");
    const std::uint64_t seed =
        given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "WEIR_SEED=" << seed << "\n";
    return seed;
}

InputCounts count(std::string_view text) {
    TextCounter pairs;
    TextCounter single(false);
    pairs.add(text);
    single.add(text);
    EXPECT_EQ(pairs.counts(), single.counts());
    return pairs.counts();
}

InputCounts count_json(std::string_view raw) {
    TextCounter counter;
    counter.add_json(raw);
    return counter.counts();
}

/// The same, byte by byte and as the header says it.
InputCounts by_bytes(std::string_view text) {
    InputCounts counts{};
    bool letter = false;
    bool punctuation = false;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool now_letter = byte < 0x80 && std::isalpha(byte) != 0;
        const bool now_punctuation =
            byte > ' ' && byte < 0x80 && !now_letter && std::isdigit(byte) == 0;
        if (now_letter) {
            ++count_of(counts, std::islower(byte) != 0 ? InputClass::lower : InputClass::upper);
            count_of(counts, InputClass::words) += letter ? 0 : 1;
        } else if (now_punctuation) {
            ++count_of(counts, InputClass::punctuation);
            count_of(counts, InputClass::punctuation_runs) += punctuation ? 0 : 1;
        } else if (byte == '\n' || byte == '\r') {
            ++count_of(counts, InputClass::line_ends);
        } else if (byte <= ' ') {
            ++count_of(counts, InputClass::spaces);
        } else if (byte < 0x80) {
            ++count_of(counts, InputClass::digits);
        } else if (byte >= 0xf0) {
            ++count_of(counts, InputClass::four_byte);
        } else if (byte >= 0xe0) {
            ++count_of(counts, byte >= 0xea && byte <= 0xed   ? InputClass::hangul
                               : byte >= 0xe3 && byte <= 0xe9 ? InputClass::han
                                                              : InputClass::three_byte);
        } else if (byte >= 0xc0) {
            ++count_of(counts, byte < 0xcc ? InputClass::accented : InputClass::two_byte);
        }
        letter = now_letter;
        punctuation = now_punctuation;
    }
    return counts;
}

TEST(TextCounter, VectorsCountWhatTheirBytesCount) {
    std::mt19937_64 random(seed());
    for (int round = 0; round < 2'000; ++round) {
        std::string text(random() % (round % 2 == 0 ? 9'000 : 200), '\0');
        const unsigned below = round % 3 == 0 ? 128 : 256;
        const unsigned alike = round % 5 == 0 ? 40 : 1;  // long runs
        char c = 'a';
        for (char& at : text) {
            c = random() % alike == 0 ? static_cast<char>(random() % below) : c;
            at = c;
        }
        ASSERT_EQ(count(text), by_bytes(text));
    }
}

TEST(TextCounter, LongRunsDoNotOverflowALane) {
    for (const char c : {'a', 'Z', '7', '.', ' ', '\n', '\xc3', '\xd0', '\xe4', '\xed', '\xf4'}) {
        const std::string text(1 << 20, c);
        ASSERT_EQ(count(text), by_bytes(text)) << static_cast<int>(c);
    }
}

TEST(TextCounter, ARunGoesOnOverTheVectorsOfATextButNotFromTextToText) {
    TextCounter counter;
    counter.add(std::string(10'000, 'a'));
    counter.add("b");
    EXPECT_EQ(counter.counts()[static_cast<std::size_t>(InputClass::words)], 2U);
}

TEST(TextCounter, AnEscapeCountsAsWhatItStandsFor) {
    EXPECT_EQ(count_json(R"(\u4f60\u597d)"), count("你好"));
    EXPECT_EQ(count_json(R"(\uac00\u0436\u00e9)"), count("가жé"));
    EXPECT_EQ(count_json(R"(\ud83d\ude00)"), count("😀"));
    EXPECT_EQ(count_json(R"(a\nb\t\"\u0041)"), count("a\nb\t\"A"));
    EXPECT_EQ(count_json(R"(\ud83d alone)"), count("\xef\xbf\xbd alone"));
    std::string raw;
    std::string plain;
    for (int i = 0; i < 5'000; ++i) {
        raw += R"(word \"and\" \\ \u00e9\n)";
        plain += "word \"and\" \\ \u00e9\n";
    }
    EXPECT_EQ(count_json(raw), count(plain));
}

TEST(TextCounter, WhatIsCutOffInAnEscapeStillCounts) {
    for (const auto* raw : {"\\", "x\\", "x\\u", "x\\u12", "\\ud83d\\u12"}) {
        EXPECT_GT(prior_tokens(count_json(raw)), 0) << raw;
    }
}

TEST(TextCounter, TokensByRuleAddUpAndStayAtTheLargestNumber) {
    TextCounter counter;
    for (int i = 0; i < 20'000; ++i) {
        counter.add_tokens(InputClass::media, 299'999.5);
    }
    EXPECT_EQ(counter.counts()[static_cast<std::size_t>(InputClass::media)], 0xffff'ffffU);
}

}  // namespace
}  // namespace weir::bedrock
