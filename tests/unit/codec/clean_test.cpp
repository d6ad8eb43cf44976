#include "codec/clean.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <simdjson.h>

#include <algorithm>

namespace {

using namespace weir::codec;

TEST(CleanName, EndsWhereAnythingElseBegins) {
    EXPECT_EQ(clean_name("ThrottlingException"), "ThrottlingException");
    EXPECT_EQ(clean_name(" rate_limit_error "), "rate_limit_error");
    EXPECT_EQ(clean_name("Throttling\r\nX-Injected: 1"), "Throttling");
    EXPECT_EQ(clean_name(std::string_view("a\0b", 3)), "a");
    EXPECT_EQ(clean_name("caf\xC3\xA9"), "caf");
    EXPECT_EQ(clean_name("\x1B[31mred"), "");
    EXPECT_EQ(clean_name(""), "");
    EXPECT_EQ(clean_name(std::string(100'000, 'x')).size(), kMaxName);
}

TEST(CleanId, IsAllOrNothing) {
    EXPECT_EQ(clean_id("0a1b-2c/=:x"), "0a1b-2c/=:x");
    EXPECT_EQ(clean_id("a b"), "");
    EXPECT_EQ(clean_id("a\r\n"), "");
    EXPECT_EQ(clean_id("a\xFF"), "");
    EXPECT_EQ(clean_id(std::string(kMaxId, 'x')).size(), kMaxId);
    EXPECT_EQ(clean_id(std::string(kMaxId + 1, 'x')), "");
}

TEST(CleanText, KeepsWhatPeopleCanRead) {
    EXPECT_EQ(clean_text("Too many tokens \xE2\x80\x99\xF0\x9F\x99\x82\n\tcaf\xC3\xA9"),
              "Too many tokens \xE2\x80\x99\xF0\x9F\x99\x82\n\tcaf\xC3\xA9");
    EXPECT_EQ(clean_text(std::string_view("a\r\nb\0c\x1B[0m\x7F", 11)), "a \nb c [0m ");
    EXPECT_EQ(clean_text("a\xC2\x9B"
                         "31m"),
              "a 31m");
    EXPECT_EQ(clean_text("\xFF"
                         "a\xC3"),
              "\xEF\xBF\xBD"
              "a\xEF\xBF\xBD");
    EXPECT_EQ(clean_text("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
}

TEST(CleanText, IsCutBetweenCharacters) {
    std::string text;
    while (text.size() < 2 * kMaxText) {
        text += "\xE2\x82\xAC";
    }
    const std::string cut = clean_text(text);
    EXPECT_EQ(cut.size(), kMaxText / 3 * 3);
    EXPECT_TRUE(simdjson::validate_utf8(cut.data(), cut.size()));
}

TEST(CleanText, IsAlwaysText) {
    const bool held = rc::check([](const std::string& bytes) {
        const std::string text = clean_text(bytes);
        RC_ASSERT(simdjson::validate_utf8(text.data(), text.size()));
        RC_ASSERT(std::ranges::none_of(text, [](char c) {
            return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
        }));
        RC_ASSERT(clean_text(text) == text);
    });
    EXPECT_TRUE(held);
}

}  // namespace
