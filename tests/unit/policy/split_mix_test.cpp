#include <weir/split_mix.h>

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(SplitMix64, TheReferenceSequence) {
    // Of Sebastiano Vigna's splitmix64.c with the state 0 at the start.
    SplitMix64 random(0);
    EXPECT_EQ(random.next(), 0xe220a8397b1dcdafULL);
    EXPECT_EQ(random.next(), 0x6e789e6aa1b965f4ULL);
    EXPECT_EQ(random.next(), 0x06c45d188009454fULL);
}

TEST(SplitMix64, DistributionsHaveTheirMoments) {
    SplitMix64 random(7);
    constexpr int kDraws = 100'000;
    double uniform = 0;
    double exponential = 0;
    double normal = 0;
    double squares = 0;
    for (int i = 0; i < kDraws; ++i) {
        const double u = random.uniform();
        ASSERT_TRUE(u >= 0 && u < 1);
        uniform += u;
        exponential += random.exponential(3);
        const double n = random.normal();
        normal += n;
        squares += n * n;
    }
    EXPECT_NEAR(uniform / kDraws, 0.5, 0.01);
    EXPECT_NEAR(exponential / kDraws, 3, 0.05);
    EXPECT_NEAR(normal / kDraws, 0, 0.02);
    EXPECT_NEAR(squares / kDraws, 1, 0.03);
}

}  // namespace
}  // namespace weir
