#include "codec/json_depth.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::codec {
namespace {

std::string nested(std::size_t deep) {
    return std::string(deep, '[') + std::string(deep, ']');
}

TEST(JsonDepth, AsManyAsAreAllowedAndNotOneMore) {
    EXPECT_TRUE(is_shallow_json(nested(kMostJsonDepth)));
    EXPECT_FALSE(is_shallow_json(nested(kMostJsonDepth + 1)));
    EXPECT_TRUE(is_shallow_json(R"([{"a":[1]}])", 3));
    EXPECT_FALSE(is_shallow_json(R"([{"a":[1]}])", 2));
    EXPECT_FALSE(is_shallow_json(std::string(3'000'000, '['))) << "nothing closes them";
}

TEST(JsonDepth, WhatIsClosedDoesNotCount) {
    EXPECT_TRUE(is_shallow_json("[[1],[2],{},[3]]", 2));
}

TEST(JsonDepth, BracketsWithinTextAreText) {
    EXPECT_TRUE(is_shallow_json(R"({"a":"[[[[","b":"\"[[[","c":"\\"})", 1));
    EXPECT_FALSE(is_shallow_json(R"({"a":"\\","b":[1]})", 1)) << "the text ended at its quote";
    EXPECT_TRUE(is_shallow_json("\"\\", 0)) << "cut off within an escape";
}

TEST(JsonDepth, WhatIsNoJsonHasAnAnswerToo) {
    EXPECT_TRUE(is_shallow_json("", 0));
    EXPECT_TRUE(is_shallow_json("]]}}[", 1)) << "what was not open cannot be closed";
}

}  // namespace
}  // namespace weir::codec
