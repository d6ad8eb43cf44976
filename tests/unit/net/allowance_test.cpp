#include "net/allowance.h"

#include <gtest/gtest.h>

namespace weir::net::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Allowance, BurstThenRate) {
    Instant now{};
    Allowance allowance(3, 10, now);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(allowance.take(now));
    }
    EXPECT_FALSE(allowance.take(now));
    EXPECT_FALSE(allowance.take(now += milliseconds(99)));
    EXPECT_TRUE(allowance.take(now += milliseconds(1)));
    EXPECT_FALSE(allowance.take(now));
}

TEST(Allowance, NeverMoreThanTheBurst) {
    Instant now{};
    Allowance allowance(2, 10, now);
    allowance.give(1000);
    now += std::chrono::hours(24 * 365);
    EXPECT_TRUE(allowance.take(now));
    EXPECT_TRUE(allowance.take(now));
    EXPECT_FALSE(allowance.take(now));
    allowance.give(1);
    EXPECT_TRUE(allowance.take(now));
}

TEST(Allowance, AClockThatStandsGivesNothing) {
    const Instant now{};
    Allowance allowance(1, 1'000'000, now);
    EXPECT_TRUE(allowance.take(now));
    EXPECT_FALSE(allowance.take(now));
}

}  // namespace
}  // namespace weir::net::test
