// What looks at many bytes at a time says what looking at each would.
#include "codec/digest.h"
#include "codec/http1.h"
#include "codec/http1_grammar.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstdio>

namespace weir::codec {
namespace {

TEST(Lanes, FindTheFirstByteOfMany) {
    EXPECT_TRUE(rc::check([](const std::string& text, unsigned char wanted) {
        for (std::size_t from = 0; from <= text.size(); ++from) {
            const std::size_t found = find_first(
                text, from, [wanted](Lanes bytes) { return true_lanes(bytes == wanted); });
            RC_ASSERT(found == std::min(text.size(), text.find(static_cast<char>(wanted), from)));
        }
    }));
    EXPECT_EQ(find_first({}, 0, [](Lanes bytes) { return ~(bytes ^ bytes); }), 0U);
}

TEST(Lanes, AByteInEachPlaceIsSeen) {
    for (std::size_t size = 1; size < 70; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            std::string text(size, 'a');
            text[at] = '\r';
            EXPECT_EQ(grammar::find_control(text, 0), at) << size;
            EXPECT_EQ(grammar::find_token_end(text, 0), at) << size;
            text[at] = '|';  // no letter, but of a token
            EXPECT_EQ(grammar::find_token_end(text, 0), size) << at;
        }
    }
}

TEST(Lanes, ShortTextsAreLookedAtWhole) {
    for (std::size_t size = 1; size < kLanes; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            std::string text(size, 'a');
            text[at] = 'b';
            EXPECT_NE(lane_bits(true_lanes(load_short_lanes(text) == 'b')), 0U) << size << at;
            text[at] = 'a';
            EXPECT_EQ(lane_bits(true_lanes(load_short_lanes(text) == 'a')), 0xFFFFU) << size;
        }
    }
}

TEST(Lanes, NamesAreEqualButForTheCaseOfLetters) {
    const auto folded = [](std::string text) {
        for (char& c : text) {
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
        }
        return text;
    };
    EXPECT_TRUE(rc::check(
        [&](const std::string& a, std::string b, const std::vector<std::size_t>& changed) {
            RC_ASSERT(equals_ignore_case(a, b) == (folded(a) == folded(b)));
            b = a;
            for (const std::size_t at : changed) {
                if (!b.empty()) {
                    b[at % b.size()] ^= 0x20;  // another case, or another character
                    RC_ASSERT(equals_ignore_case(a, b) == (folded(a) == folded(b)));
                }
            }
        }));
}

TEST(Lanes, HexOfAnyLength) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
        std::string expected = "=";
        for (const std::uint8_t byte : bytes) {
            char text[3];
            std::snprintf(text, sizeof text, "%02x", byte);
            expected += text;
        }
        std::string out = "=";
        append_hex(out, bytes);
        RC_ASSERT(out == expected);
    }));
}

}  // namespace
}  // namespace weir::codec
