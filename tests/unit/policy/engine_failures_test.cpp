// What the engine makes of an attempt that failed.
#include "unit/policy/engine_world.h"

namespace weir {
namespace {

TEST_F(EngineTest, CapacityFailuresGoToTheOtherRegionAtOnce) {
    route({{"us-east-1", ""}, {"us-west-2", ""}});
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    const Decision d = fail(a, FailureClass::capacity);
    ASSERT_TRUE(granted(d));
    EXPECT_EQ(std::get<Grant>(d).target->region, "us-west-2");
    EXPECT_EQ(std::get<Grant>(d).attempt, 2U);
    EXPECT_FALSE(std::get<Grant>(d).degraded);
}

TEST_F(EngineTest, WithNowhereElseItBacksOffAndTriesAgainUntilAttemptsAreUsedUp) {
    config.breaker.failures = 100;
    config.breaker.failure_share = 2;
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    Decision d = fail(a, FailureClass::capacity);
    int sends = 1;
    while (waits(d)) {
        now = std::max(now, *engine().next_wake());
        const auto woken = advance();
        if (woken.empty()) {
            continue;
        }
        ASSERT_TRUE(granted(woken[0].decision));
        ++sends;
        d = fail(a, FailureClass::capacity);
    }
    EXPECT_EQ(sends, 6);
    EXPECT_EQ(refused(d).reason, RefusalReason::attempts_exhausted);
    ASSERT_TRUE(refused(d).upstream);
    EXPECT_EQ(refused(d).upstream->status, 503);
    EXPECT_EQ(engine().status(now).in_flight, 0U);
}

TEST_F(EngineTest, NothingIsRetriedAfterContentHasBegun) {
    route({{"us-east-1", ""}, {"us-west-2", ""}});
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    engine().sent(a.id, now);
    engine().began(a.id, now);
    Failure f;
    f.cls = FailureClass::capacity;
    f.stage = Stage::sent;  // whatever the driver says, it has begun
    EXPECT_EQ(refused(engine().report(a.id, f, now)).reason, RefusalReason::upstream_error);
}

TEST_F(EngineTest, TimeoutsRepeatOnlyStreamsAndOnlyOnce) {
    route({{"us-east-1", ""}, {"us-west-2", ""}});
    const Call plain = call();
    ASSERT_TRUE(granted(offer(plain)));
    EXPECT_EQ(refused(fail(plain, FailureClass::timeout)).reason, RefusalReason::upstream_error);
    Call stream = call();
    stream.stream = true;
    ASSERT_TRUE(granted(offer(stream)));
    const Decision again = fail(stream, FailureClass::timeout);
    ASSERT_TRUE(granted(again));
    EXPECT_EQ(std::get<Grant>(again).target->region, "us-west-2");
    EXPECT_FALSE(granted(fail(stream, FailureClass::timeout)));
}

TEST_F(EngineTest, ATimeoutKeepsItsReservationARefusalGivesItBack) {
    quota(1000);
    const Call a = call(900);
    ASSERT_TRUE(granted(offer(a)));
    fail(a, FailureClass::timeout);
    EXPECT_EQ(engine().status(now).targets[0].limits[1].used, 900U);
    now += 70s;
    const Call b = call(900);
    ASSERT_TRUE(granted(offer(b)));
    fail(b, FailureClass::slow_model, 408);
    EXPECT_EQ(engine().status(now).targets[0].limits[1].used, 0U);
}

TEST_F(EngineTest, CredentialsAreRefreshedOnce) {
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    ASSERT_TRUE(granted(fail(a, FailureClass::credentials, 403)));
    const Decision d = fail(a, FailureClass::credentials, 403);
    EXPECT_EQ(refused(d).reason, RefusalReason::upstream_error);
    EXPECT_EQ(engine().status(now).targets[0].breaker, BreakerState::closed);
}

TEST_F(EngineTest, TheCallersErrorGoesBackUntouched) {
    route({{"us-east-1", ""}, {"us-west-2", ""}});
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    const Refusal r = refused(fail(a, FailureClass::caller, 400));
    EXPECT_EQ(r.reason, RefusalReason::upstream_error);
    EXPECT_EQ(r.upstream->status, 400);
}

TEST_F(EngineTest, AnUnfitFallbackIsPassedOverByThatCallAndTheFirstErrorIsTheAnswer) {
    route({{"us-east-1", ""}, {"us-west-2", ""}});
    Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    ASSERT_TRUE(granted(fail(a, FailureClass::server, 500)));
    Decision d = fail(a, FailureClass::caller, 404);
    while (waits(d)) {
        now = std::max(now, *engine().next_wake());
        for (const Wake& w : advance()) {
            ASSERT_TRUE(granted(w.decision));
            d = fail(a, FailureClass::server, 500);
        }
    }
    EXPECT_EQ(refused(d).upstream->status, 500);
    const Status s = engine().status(now);
    EXPECT_FALSE(s.targets[1].misconfigured) << "one call alone closes nothing";
    ASSERT_FALSE(s.skipped.empty());
    EXPECT_EQ(s.skipped[0].reason, "unfit");
}

TEST_F(EngineTest, ModelsThatCallersMakeUpAreNotCounted) {
    for (int i = 0; i < 10; ++i) {
        const std::string model = "made.up-" + std::to_string(i);
        Call a = call();
        a.model = model;
        ASSERT_TRUE(granted(offer(a)));
        refused(fail(a, FailureClass::caller, 404));
    }
    EXPECT_TRUE(engine().status(now).skipped.empty());
}

TEST_F(EngineTest, ArnsThatCallersMakeUpFillNoTable) {
    route({{"us-east-1", ""}, {"us-west-2", ""}});
    for (int i = 0; i < 2500; ++i) {
        const std::string model = "arn:aws:bedrock:us-east-1:" + std::to_string(i) + "/" + kSonnet;
        Call a = call();
        a.model = model;
        offer(a);
        fail(a, FailureClass::caller, 404);
    }
    const std::size_t skipped = engine().status(now).skipped.size();
    EXPECT_GE(skipped, 1U);
    EXPECT_LE(skipped, 2000U);
}

TEST_F(EngineTest, AnotherModelIsDegradedAndItsLowerMaximumIsSet) {
    route({{"us-east-1", ""}, {"us-east-1", kHaiku}});
    const Call a = call(4000);
    ASSERT_TRUE(granted(offer(a)));
    const Decision d = fail(a, FailureClass::capacity);
    ASSERT_TRUE(granted(d));
    const Grant& g = std::get<Grant>(d);
    EXPECT_TRUE(g.degraded);
    EXPECT_TRUE(g.substituted);
    EXPECT_EQ(g.max_output, 1000U);
    EXPECT_EQ(g.target->model, kHaiku);
}

TEST_F(EngineTest, SpillsAtOnceWhenTheFirstTargetIsFullForLong) {
    quota(1000);
    route({{"us-east-1", ""}, {"us-west-2", ""}});
    const Call a = call(900);
    ASSERT_TRUE(granted(offer(a)));
    engine().sent(a.id, now);
    const Call b = call(900);
    const Decision d = offer(b);
    std::vector<Wake> woken;
    if (waits(d)) {
        EXPECT_LE(*engine().next_wake(), now);
        woken = advance();
        ASSERT_EQ(woken.size(), 1U);
    }
    const Grant g = std::get<Grant>(waits(d) ? woken[0].decision : d);
    EXPECT_EQ(g.target->region, "us-west-2");
}

TEST_F(EngineTest, AQuotaRefusalGoesToTheHeadOfItsQueueAndPauses) {
    quota(1000);
    const Call a = call(500);
    ASSERT_TRUE(granted(offer(a)));
    ASSERT_TRUE(waits(fail(a, FailureClass::quota_tokens, 429)));
    ASSERT_TRUE(waits(offer(call(100))));
    EXPECT_TRUE(advance().empty());
    const Instant refused_at = now;
    std::vector<Wake> woken;
    while (woken.empty() && now < refused_at + 5s) {
        now = *engine().next_wake();
        woken = advance();
    }
    ASSERT_FALSE(woken.empty());
    EXPECT_GE(now, refused_at + 1s);
    EXPECT_EQ(woken[0].id, a.id);
    EXPECT_EQ(std::get<Grant>(woken[0].decision).attempt, 2U);
    EXPECT_EQ(engine().status(now).targets[0].breaker, BreakerState::closed);
}

TEST_F(EngineTest, TheDayIsClosedAfterADailyRefusal) {
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    EXPECT_EQ(refused(fail(a, FailureClass::daily, 429)).reason, RefusalReason::daily_quota);
    const Refusal r = refused(offer(call()));
    EXPECT_EQ(r.reason, RefusalReason::daily_quota);
    EXPECT_GT(r.retry_after, 10min);
    EXPECT_TRUE(engine().status(now).targets[0].daily_closed);
    now += 16min;
    const Call probe = call();
    ASSERT_TRUE(granted(offer(probe)));
    EXPECT_TRUE(waits(offer(call())));
    succeed(probe);
    EXPECT_EQ(advance().size(), 1U);
    EXPECT_FALSE(engine().status(now).targets[0].daily_closed);
}

TEST_F(EngineTest, WithEveryBreakerOpenOnlyProbesGo) {
    std::vector<Call> flying;
    for (int i = 0; i < 8; ++i) {
        flying.push_back(call());
        ASSERT_TRUE(granted(offer(flying.back())));
    }
    for (const Call& c : flying) {
        engine().cancel(c.id, std::nullopt, now);
    }
    for (int i = 0; i < 5; ++i) {
        const Call c = call();
        ASSERT_TRUE(granted(offer(c)));
        fail(c, FailureClass::capacity);
        engine().cancel(c.id, std::nullopt, now);
    }
    EXPECT_NE(engine().status(now).targets[0].breaker, BreakerState::closed);
    int probes = 0;
    for (int i = 0; i < 10; ++i) {
        const std::string client = std::to_string(i);
        Call c = call();
        c.client = client;
        probes += granted(offer(c)) ? 1 : 0;
    }
    EXPECT_EQ(probes, 3);
    EXPECT_EQ(engine().status(now).targets[0].breaker, BreakerState::half_open);
}

}  // namespace
}  // namespace weir
