#include "policy/breaker.h"

#include <gtest/gtest.h>

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

class BreakerTest : public ::testing::Test {
protected:
    void fail(int times, double weight = 1) {
        for (int i = 0; i < times; ++i) {
            breaker.failure(breaker.take(now), weight, random, now);
        }
    }
    BreakerConfig config;
    Breaker breaker{config};
    Random random{1};
    Instant now = Instant{} + 1000s;
};

TEST_F(BreakerTest, OpensAtAStreakThatASuccessResets) {
    fail(4);
    breaker.success(breaker.take(now), now);
    fail(4);
    EXPECT_EQ(breaker.state(now), BreakerState::closed);
    fail(1);
    EXPECT_EQ(breaker.state(now), BreakerState::open);
    EXPECT_FALSE(breaker.allows(now));
    EXPECT_GE(breaker.allows_at(now), now + 4s);
    EXPECT_LE(breaker.allows_at(now), now + 6s);
}

TEST_F(BreakerTest, HalfWeightsCountHalf) {
    fail(9, 0.5);
    EXPECT_EQ(breaker.state(now), BreakerState::closed);
    fail(1, 0.5);
    EXPECT_EQ(breaker.state(now), BreakerState::open);
}

TEST_F(BreakerTest, ABrownOutBelowHalfDoesNotOpenHalfDoes) {
    for (int i = 0; i < 200; ++i) {
        now += 100ms;
        if (i % 3 == 0) {
            fail(1);
        } else {
            breaker.success(breaker.take(now), now);
        }
    }
    EXPECT_EQ(breaker.state(now), BreakerState::closed);
    for (int i = 0; i < 200 && breaker.state(now) == BreakerState::closed; ++i) {
        now += 100ms;
        if (i % 4 != 0) {
            fail(1);
        } else {
            breaker.success(breaker.take(now), now);
        }
    }
    EXPECT_EQ(breaker.state(now), BreakerState::open);
}

TEST_F(BreakerTest, AllProbesMustPassThenItRamps) {
    fail(5);
    now = breaker.allows_at(now);
    ASSERT_EQ(breaker.state(now), BreakerState::half_open);
    const auto a = breaker.take(now);
    const auto b = breaker.take(now);
    const auto c = breaker.take(now);
    EXPECT_FALSE(breaker.allows(now));
    EXPECT_EQ(breaker.allows_at(now), Instant::max());
    breaker.give_back(c, now);
    EXPECT_TRUE(breaker.allows(now));
    const auto d = breaker.take(now);
    breaker.success(a, now);
    breaker.success(b, now);
    EXPECT_EQ(breaker.state(now), BreakerState::half_open);
    breaker.success(d, now);
    EXPECT_EQ(breaker.state(now), BreakerState::closed);
    EXPECT_TRUE(breaker.ramping(now));
    breaker.take(now);
    EXPECT_FALSE(breaker.allows(now));
    EXPECT_TRUE(breaker.allows(breaker.allows_at(now)));
    EXPECT_FALSE(breaker.ramping(now + 10s));
    EXPECT_TRUE(breaker.allows(now + 10s));
}

TEST_F(BreakerTest, AFailedProbeDoublesTheTimeAndLatecomersMeanNothing) {
    const auto late = breaker.take(now);
    fail(5);
    now = breaker.allows_at(now);
    breaker.failure(breaker.take(now), 1, random, now);
    EXPECT_EQ(breaker.state(now), BreakerState::open);
    EXPECT_GE(breaker.opens_until(), now + 8s);
    const Instant until = breaker.opens_until();
    breaker.failure(late, 1, random, now);
    breaker.success(late, now);
    EXPECT_EQ(breaker.opens_until(), until);
    EXPECT_EQ(breaker.state(now), BreakerState::open);
}

TEST_F(BreakerTest, FromTheSecondOpeningAProbeIsPaidForByCallsSpared) {
    fail(5);
    now = breaker.allows_at(now);
    breaker.failure(breaker.take(now), 1, random, now);
    now = breaker.opens_until();
    EXPECT_TRUE(breaker.gated(now));
    EXPECT_FALSE(breaker.allows(now));
    EXPECT_TRUE(breaker.allows(breaker.allows_at(now)));  // in time it opens by itself
    for (int i = 0; i < 30; ++i) {
        breaker.avoided();
    }
    EXPECT_TRUE(breaker.allows(now));
}

TEST_F(BreakerTest, CanBeForcedWhenThereIsNothingElse) {
    fail(5);
    EXPECT_LE(breaker.may_force_at(), now);
    breaker.force_half_open(now);
    EXPECT_TRUE(breaker.allows(now));
    breaker.failure(breaker.take(now), 1, random, now);
    EXPECT_GT(breaker.may_force_at(), now);
    EXPECT_LT(breaker.may_force_at(), breaker.opens_until());
}

}  // namespace
}  // namespace weir::policy
