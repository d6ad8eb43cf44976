// What a grant says of the time an attempt may take, and failures that speak of no place.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include "unit/given.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

class TimelinessTest : public ::testing::Test {
protected:
    TimelinessTest() {
        config.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
        config.default_region = "us-east-1";
    }
    void two_targets() {
        RouteConfig r;
        r.model = kSonnet;
        r.targets = {{"us-east-1", {}}, {"us-west-2", {}}};
        config.routes.push_back(r);
    }
    Call call(bool stream) {
        Call c;
        c.id = CallId{0, 0, ++generation};
        c.client = "c";
        c.model = kSonnet;
        c.home_region = "us-east-1";
        c.max_output = 100;
        c.arrival = now;
        c.stream = stream;
        return c;
    }
    Engine& engine() {
        if (!engine_) {
            engine_.emplace(config, 1, now);
        }
        return *engine_;
    }
    Grant granted(const Call& c) { return std::get<Grant>(engine().offer(c, now)); }
    Decision report(const Call& c, const Failure& failure) {
        return engine().report(c.id, failure, now);
    }

    Config config;
    Instant now = Instant{} + 1000s;
    std::uint64_t generation = 0;
    std::optional<Engine> engine_;
};

Failure timed_out() {
    Failure f;
    f.cls = FailureClass::timeout;
    f.stage = Stage::sent;
    return f;
}

Failure had_closed() {
    Failure f;
    f.cls = FailureClass::network;
    f.stage = Stage::not_sent;
    f.blameless = true;
    return f;
}

TEST_F(TimelinessTest, AGrantTellsTheCallsDeadline) {
    config.queue.deadline = 7s;
    Call c = call(true);
    EXPECT_EQ(granted(c).deadline, now + 7s);
    c = call(true);
    c.deadline = 2s;
    EXPECT_EQ(granted(c).deadline, now + 2s);
}

TEST_F(TimelinessTest, AStreamMayGoElsewhereOnce) {
    two_targets();
    const Call c = call(true);
    EXPECT_TRUE(granted(c).elsewhere);
    engine().sent(c.id, now);
    const Decision next = report(c, timed_out());
    EXPECT_EQ(std::get<Grant>(next).target->region, "us-west-2");
    EXPECT_FALSE(std::get<Grant>(next).elsewhere);
}

TEST_F(TimelinessTest, NowhereElseWithOneTarget) {
    EXPECT_FALSE(granted(call(true)).elsewhere);
}

TEST_F(TimelinessTest, AWholeAnswerGoesElsewhereOnlyWhereTimeoutsAreRepeated) {
    two_targets();
    EXPECT_FALSE(granted(call(false)).elsewhere);
    engine_.reset();
    config.retry.repeat_timeouts = true;
    EXPECT_TRUE(granted(call(false)).elsewhere);
    engine_.reset();
    config.retry.max_attempts = 1;
    EXPECT_FALSE(granted(call(false)).elsewhere);
}

TEST_F(TimelinessTest, WhatIsNotThePlacesFaultLeavesItsBreakerAlone) {
    config.retry.budget = 0;
    for (int i = 0; i < 40; ++i) {
        const Call c = call(true);
        (void)granted(c);
        const Decision again = report(c, had_closed());
        ASSERT_TRUE(std::holds_alternative<Grant>(again)) << i;  // at once, free of the budget
        EXPECT_EQ(std::get<Grant>(again).attempt, 2U);
        engine().sent(c.id, now);
        Failure own = timed_out();  // a deadline that the caller chose
        own.blameless = true;
        report(c, own);
        now += 50ms;
    }
    EXPECT_EQ(engine().status(now).targets.at(0).breaker, BreakerState::closed);
}

TEST_F(TimelinessTest, AReplayCountsAsAnAttempt) {
    config.retry.max_attempts = 1;
    const Call c = call(true);
    (void)granted(c);
    EXPECT_TRUE(std::holds_alternative<Refusal>(report(c, had_closed())));
}

}  // namespace
}  // namespace weir
