#include "gateway/spare_texts.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

TEST(SpareTexts, TheNextHasTheMemoryThatTheLastGaveBackAndNothingOfItsText) {
    SpareTexts spare;
    std::string text(1000, 'x');
    const char* const memory = text.data();
    spare.give_back(std::move(text));
    const std::string next = spare.take();
    EXPECT_EQ(next.data(), memory);
    EXPECT_EQ(next, "");
    EXPECT_LT(spare.take().capacity(), 1000U) << "there was one";
}

TEST(SpareTexts, ALargeTextIsNotKept) {
    SpareTexts spare;
    spare.give_back(std::string(SpareTexts::kLargest + 1, 'x'));
    EXPECT_LT(spare.take().capacity(), SpareTexts::kLargest);
}

TEST(SpareTexts, NoMoreThanTheMostAreKept) {
    SpareTexts spare;
    for (std::size_t i = 0; i < 2 * SpareTexts::kMost; ++i) {
        spare.give_back(std::string(1000, 'x'));
    }
    std::size_t kept = 0;
    while (spare.take().capacity() >= 1000) {
        ++kept;
    }
    EXPECT_EQ(kept, SpareTexts::kMost);
}

}  // namespace
}  // namespace weir::gateway
