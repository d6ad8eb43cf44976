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

TEST_F(BreakerTest, AnOpeningThatRestsOnCallsTakenBackIsUndone) {
    for (std::uint64_t call = 1; call <= 5; ++call) {
        breaker.failure(breaker.take(now), 1, random, now, {call, 1});
    }
    ASSERT_EQ(breaker.state(now), BreakerState::open);
    EXPECT_TRUE(breaker.take_back(3, now));
    EXPECT_EQ(breaker.state(now), BreakerState::closed);
    EXPECT_FALSE(breaker.ramping(now));
    EXPECT_FALSE(breaker.take_back(3, now));
}

TEST_F(BreakerTest, AProbeThatFailsElsewhereTooIsTakenBack) {
    fail(5);
    now = breaker.allows_at(now);
    breaker.failure(breaker.take(now), 1, random, now, {77, 1});
    ASSERT_EQ(breaker.state(now), BreakerState::open);
    EXPECT_FALSE(breaker.take_back(76, now));
    EXPECT_TRUE(breaker.take_back(77, now));
    EXPECT_EQ(breaker.state(now), BreakerState::half_open);
    EXPECT_TRUE(breaker.allows(now));
}

TEST_F(BreakerTest, ACallThatHasFailedIsAProbeOnlyWhenNobodyElseCame) {
    fail(5);
    EXPECT_TRUE(breaker.may_probe({1, 1}, true, Instant{})) << "not half-open: no question";
    now = breaker.allows_at(now);
    ASSERT_EQ(breaker.state(now), BreakerState::half_open);
    EXPECT_FALSE(breaker.may_probe({1, 1}, true, now));
    EXPECT_TRUE(breaker.may_probe({2, 1}, false, now));
    const Instant at = breaker.may_probe_at({1, 1}, true, now);
    EXPECT_EQ(at, now + 1s);
    EXPECT_TRUE(breaker.may_probe({1, 1}, true, at));
}

TEST_F(BreakerTest, TheNextProbeIsAnotherClientsIfThereIsOne) {
    breaker.success(breaker.take(now), now, {1, 2});
    fail(5);
    now = breaker.allows_at(now + 10s);
    for (std::uint64_t call = 10; breaker.state(now) == BreakerState::closed; ++call) {
        breaker.failure(breaker.take(now), 1, random, now, {call, 1});
    }
    now = breaker.allows_at(now);
    breaker.failure(breaker.take(now), 1, random, now, {50, 1});
    now = breaker.opens_until();
    ASSERT_EQ(breaker.state(now), BreakerState::half_open);
    EXPECT_FALSE(breaker.may_probe({51, 1}, false, now));
    EXPECT_TRUE(breaker.may_probe({52, 2}, false, now));
}

TEST_F(BreakerTest, AnswersThatBreakAfterTheyBeganOpenIt) {
    for (std::uint64_t call = 1; call <= 5; ++call) {
        breaker.success(breaker.take(now), now, {call, 1});
        breaker.broke(random, now, {call, 1});
    }
    EXPECT_EQ(breaker.state(now), BreakerState::open);
}

TEST_F(BreakerTest, OpenForAnotherInstanceUntilThatOneSaysThatItIsWell) {
    breaker.open_for_another(now + 5s, false, now);
    EXPECT_FALSE(breaker.allows(now));
    now += 3s;
    breaker.open_for_another(now + 1500ms, true, now);  // it probes by now
    EXPECT_TRUE(breaker.opened_by_another());
    EXPECT_EQ(breaker.opens_until(), now + 1500ms);
    breaker.release(now);
    EXPECT_EQ(breaker.state(now), BreakerState::closed);
    EXPECT_TRUE(breaker.ramping(now));
}

TEST_F(BreakerTest, ProbesItselfIfTheOtherInstanceIsHeardNoMore) {
    breaker.open_for_another(now + 5s, false, now);
    now += 4900ms;
    breaker.release(now);
    EXPECT_EQ(breaker.state(now), BreakerState::half_open);
}

TEST_F(BreakerTest, AnothersProbesDoNotCloseWhatServesNorEndOwnProbes) {
    breaker.open_for_another(now + 1500ms, true, now);
    EXPECT_EQ(breaker.state(now), BreakerState::closed);
    fail(5);
    now += 7s;
    ASSERT_EQ(breaker.state(now), BreakerState::half_open);
    const Breaker::Permit probe = breaker.take(now);
    breaker.open_for_another(now + 5s, false, now);
    EXPECT_EQ(breaker.state(now), BreakerState::half_open);
    breaker.success(probe, now);
    breaker.open_for_another(now + 5s, false, now);
    for (std::uint32_t passed = 1; passed < config.probes; ++passed) {
        breaker.success(breaker.take(now), now);
    }
    EXPECT_EQ(breaker.state(now), BreakerState::closed);
}

TEST_F(BreakerTest, WhoDidNotServeBeforeTheOtherOneProbedProbesAfterIt) {
    fail(5);
    now += 7s;
    breaker.open_for_another(now + 5s, false, now);
    EXPECT_TRUE(breaker.opened_by_another());
    breaker.release(now);
    EXPECT_EQ(breaker.state(now), BreakerState::half_open);
}

}  // namespace
}  // namespace weir::policy
