// The engine's promises, one at a time.
#include <gtest/gtest.h>
#include <weir/engine.h>

namespace weir {
namespace {

using namespace std::chrono_literals;

const std::string kSonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const std::string kHaiku = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

class EngineTest : public ::testing::Test {
protected:
    EngineTest() {
        config.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
        config.default_region = "us-east-1";
        config.models.add("anthropic.claude-haiku", {Family::anthropic, 5, 1000, 200'000, false});
    }

    Engine& engine() {
        if (!engine_) {
            engine_.emplace(config, 1, now);
        }
        return *engine_;
    }
    void quota(std::uint64_t tokens, std::optional<std::uint64_t> requests = {}) {
        QuotaConfig q;
        q.models = {kSonnet};
        q.tokens_per_minute = tokens;
        q.requests_per_minute = requests;
        config.quotas.push_back(q);
    }
    void route(std::vector<RouteTarget> targets) {
        RouteConfig r;
        r.model = kSonnet;
        r.targets = std::move(targets);
        config.routes.push_back(r);
    }
    Call call(std::uint64_t max_output = 100) {
        Call c;
        c.id = CallId{0, 0, ++generation};
        c.client = "c";
        c.model = kSonnet;
        c.home_region = "us-east-1";
        c.input_estimate = 0;
        c.max_output = max_output;
        c.arrival = now;
        return c;
    }
    Decision offer(const Call& c) { return engine().offer(c, now); }
    static bool granted(const Decision& d) { return std::holds_alternative<Grant>(d); }
    static bool waits(const Decision& d) { return std::holds_alternative<Wait>(d); }
    static const Refusal& refused(const Decision& d) { return std::get<Refusal>(d); }
    std::vector<Wake> advance() {
        std::vector<Wake> woken;
        engine().advance(now, woken);
        return woken;
    }
    Decision fail(const Call& c, FailureClass cls, int status = 503, Stage stage = Stage::sent) {
        Failure f;
        f.cls = cls;
        f.stage = stage;
        f.status = status;
        f.message = std::to_string(status);
        engine().sent(c.id, now);
        return engine().report(c.id, f, now);
    }
    void succeed(const Call& c) {
        engine().sent(c.id, now);
        engine().began(c.id, now);
        engine().settle(c.id, Usage{0, 1, 0, 0, true}, now);
    }

    Config config;
    Instant now = Instant{} + 1000s;
    std::uint64_t generation = 0;
    std::optional<Engine> engine_;
};

TEST_F(EngineTest, WithoutConfigurationACallGoesToItsHomeRegion) {
    config = Config{};
    const Decision d = offer(call());
    ASSERT_TRUE(granted(d));
    EXPECT_EQ(std::get<Grant>(d).target->region, "us-east-1");
    EXPECT_EQ(std::get<Grant>(d).target->model, kSonnet);
    EXPECT_EQ(std::get<Grant>(d).attempt, 1U);
    EXPECT_FALSE(std::get<Grant>(d).substituted);
}

TEST_F(EngineTest, HoldsBackWhatDoesNotFitAndGrantsItAsRoomIsMade) {
    quota(1000);
    const Call a = call(900);
    ASSERT_TRUE(granted(offer(a)));
    const Call b = call(500);
    ASSERT_TRUE(waits(offer(b)));
    EXPECT_TRUE(advance().empty());
    engine().sent(a.id, now);
    engine().began(a.id, now);
    engine().settle(a.id, Usage{10, 1, 0, 0, true}, now);
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(woken[0].id, b.id);
    EXPECT_TRUE(granted(woken[0].decision));
}

/// The budget is against storms on a place that fails; going to a healthy one is none.
TEST_F(EngineTest, TheFirstSendToAnUntriedTargetIsFreeOfTheRetryBudget) {
    route({{"us-east-1", {}}, {"us-west-2", {}}});
    config.retry.budget = 0;
    config.breaker.failures = 1'000'000;  // never opens
    int refused_at_once = 0;
    for (int i = 0; i < 200; ++i) {
        const Call c = call();
        const Decision d = offer(c);
        ASSERT_TRUE(granted(d));
        if (std::get<Grant>(d).target->region != "us-east-1") {
            succeed(c);
            continue;
        }
        const Decision next = fail(c, FailureClass::server, 500);
        if (!granted(next)) {
            ++refused_at_once;
            continue;
        }
        EXPECT_EQ(std::get<Grant>(next).target->region, "us-west-2");
        succeed(c);
    }
    EXPECT_EQ(refused_at_once, 0);
}

TEST_F(EngineTest, ADriverThatSleepsUntilNextWakeGrantsAtTheRightTime) {
    quota(1000);
    const Call a = call(900);
    ASSERT_TRUE(granted(offer(a)));
    engine().sent(a.id, now);
    const Call b = call(500);
    Call patient = b;
    patient.deadline = 100s;
    config.queue.max_wait = 100s;
    engine().reconfigure(config, now);
    ASSERT_TRUE(waits(offer(patient)));
    advance();
    int wakes = 0;
    std::vector<Wake> woken;
    while (woken.empty()) {
        const auto next = engine().next_wake();
        ASSERT_TRUE(next && *next > now);
        now = *next;
        woken = advance();
        ASSERT_LT(++wakes, 50) << "its turn is estimated again now and then, and no more";
    }
    EXPECT_TRUE(granted(woken[0].decision));
    EXPECT_GT(now, Instant{} + 1000s);  // sooner, perhaps, as the probe
    EXPECT_LE(now, Instant{} + 1061s);
}

TEST_F(EngineTest, WhatCanNeverFitIsRefusedAtOnce) {
    quota(1000);
    const Refusal r = refused(offer(call(1001)));
    EXPECT_EQ(r.reason, RefusalReason::never_fits);
    EXPECT_EQ(r.limit, 1000U);
    EXPECT_EQ(r.limit_kind, LimitKind::tokens);
    EXPECT_TRUE(granted(offer(call(1000))));
}

TEST_F(EngineTest, WaitingEndsAtTheDeadline) {
    quota(1000);
    engine().sent(call().id, now);
    const Call a = call(900);
    ASSERT_TRUE(granted(offer(a)));
    Call b = call(500);
    b.deadline = 5s;
    ASSERT_TRUE(waits(offer(b)));
    advance();
    now += 4900ms;
    EXPECT_TRUE(advance().empty());
    now = *engine().next_wake();
    EXPECT_LE(now, b.arrival + 5s);
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(refused(woken[0].decision).reason, RefusalReason::deadline);
    EXPECT_EQ(refused(woken[0].decision).limit, 1000U);
}

TEST_F(EngineTest, ABackloggedClientIsToldAtOnceWhenItsTurnComesTooLate) {
    quota(1000);
    Call first = call(900);
    ASSERT_TRUE(granted(offer(first)));
    engine().sent(first.id, now);
    int queued = 0;
    Decision d = Wait{};
    while (waits(d) && queued < 1000) {
        d = offer(call(900));
        ++queued;
    }
    ASSERT_LT(queued, 10);
    EXPECT_EQ(refused(d).reason, RefusalReason::quota);
    EXPECT_GT(refused(d).retry_after, 0s);
    Call other = call(100);
    other.client = "no backlog";
    EXPECT_TRUE(waits(offer(other)));
}

TEST_F(EngineTest, TheQueueIsBounded) {
    quota(1000);
    config.queue.max_waiting = 1;
    ASSERT_TRUE(granted(offer(call(900))));
    Call a = call(500);
    ASSERT_TRUE(waits(offer(a)));
    Call b = call(500);
    b.client = "d";
    EXPECT_EQ(refused(offer(b)).reason, RefusalReason::queue_full);
}

TEST_F(EngineTest, InAFullQueueTheLargestHoldersNewestCallGoesFirst) {
    config.pool.max_connections = 1;
    config.queue.max_waiting = 3;
    ASSERT_TRUE(granted(offer(call(900))));
    std::vector<Call> batch;
    for (int i = 0; i < 3; ++i) {
        now += 1ms;
        batch.push_back(call(10));
        batch.back().client = "batch";
        batch.back().priority = Priority::batch;
        batch.back().max_output = 500;
        ASSERT_TRUE(waits(offer(batch.back())));
    }
    Call more = call(500);
    more.client = "batch";
    EXPECT_EQ(refused(offer(more)).reason, RefusalReason::queue_full) << "its own call stays out";
    Call only = call(500);
    only.client = "interactive";
    only.priority = Priority::interactive;
    ASSERT_TRUE(waits(offer(only)));
    ASSERT_TRUE(engine().next_wake());
    EXPECT_LE(*engine().next_wake(), now);
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(woken[0].id, batch[2].id);
    EXPECT_EQ(std::get<Refusal>(woken[0].decision).reason, RefusalReason::queue_full);
    EXPECT_EQ(engine().status(now).waiting_calls, 3U);
}

TEST_F(EngineTest, WaitingBytesAreSharedLikewise) {
    config.pool.max_connections = 1;
    config.limits.max_buffered = 1000;
    ASSERT_TRUE(granted(offer(call(900))));
    std::vector<Call> heavy;
    for (int i = 0; i < 3; ++i) {
        now += 1ms;
        heavy.push_back(call(500));
        heavy.back().client = "heavy";
        heavy.back().bytes = 300;
        ASSERT_TRUE(waits(offer(heavy.back())));
    }
    Call light = call(500);
    light.client = "light";
    light.bytes = 400;
    ASSERT_TRUE(waits(offer(light)));
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(woken[0].id, heavy[2].id);
    EXPECT_EQ(engine().status(now).waiting_bytes, 1000U);
}

TEST_F(EngineTest, AClientsOwnLimitHoldsOnlyThatClientBack) {
    ClientConfig c;
    c.name = "c";
    c.requests_per_minute = 1;
    config.clients = {c};
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    const Refusal r = refused(offer(call()));
    EXPECT_EQ(r.reason, RefusalReason::client_limit) << "its minute ends after max_wait";
    EXPECT_EQ(r.limit_kind, LimitKind::requests);
    EXPECT_EQ(r.model, "this client");
    EXPECT_EQ(r.used, 1U);
    EXPECT_GT(r.retry_after, 45s);
    Call other = call();
    other.client = "d";
    EXPECT_TRUE(granted(offer(other)));
}

TEST_F(EngineTest, ACallWhoseMarginAloneExceedsItsClientsLimitIsServed) {
    ClientConfig c;
    c.name = "c";
    c.tokens_per_minute = 8000;
    config.clients = {c};
    Call large = call(1000);
    large.input_estimate = 6500;  // held: times the cold margin of 1.35
    EXPECT_TRUE(granted(offer(large)));
}

TEST_F(EngineTest, ASmallCallPassesALargeOneThatItsClientsLimitHoldsBack) {
    ClientConfig c;
    c.name = "c";
    c.tokens_per_minute = 8000;
    config.clients = {c};
    const Call first = call(4000);
    ASSERT_TRUE(granted(offer(first)));
    engine().sent(first.id, now);
    now += 30s;
    ASSERT_TRUE(waits(offer(call(6000))));
    EXPECT_TRUE(advance().empty());
    const Call small = call(500);
    ASSERT_TRUE(waits(offer(small)));
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(woken[0].id, small.id);
    EXPECT_TRUE(granted(woken[0].decision));
}

TEST_F(EngineTest, CallsUnderWayOfAClientAreBounded) {
    ClientConfig c;
    c.name = "c";
    c.max_in_flight = 1;
    config.clients = {c};
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    const Call b = call();
    ASSERT_TRUE(waits(offer(b)));
    EXPECT_TRUE(advance().empty());
    Call other = call();
    other.client = "d";
    EXPECT_TRUE(granted(offer(other)));
    const ClientStatus status = engine().status(now).clients[0];
    ASSERT_EQ(status.limits.size(), 1U);
    EXPECT_EQ(status.limits[0].kind, LimitKind::in_flight);
    EXPECT_EQ(status.limits[0].used, 1U);
    engine().reconfigure(config, now);
    EXPECT_TRUE(advance().empty()) << "kept over a reload";
    succeed(a);
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(woken[0].id, b.id);
    // The limit is named to one who waited in vain.
    ASSERT_TRUE(waits(offer(call())));
    now += 46s;
    const auto late = advance();
    ASSERT_EQ(late.size(), 1U);
    const Refusal r = std::get<Refusal>(late[0].decision);
    EXPECT_EQ(r.reason, RefusalReason::client_limit);
    EXPECT_EQ(r.limit_kind, LimitKind::in_flight);
}

TEST_F(EngineTest, AClientWithBothLimitsWaitsForTheEndOfACall) {
    ClientConfig c;
    c.name = "c";
    c.max_in_flight = 1;
    c.requests_per_minute = 100;
    config.clients = {c};
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    ASSERT_TRUE(waits(offer(call())));
    EXPECT_TRUE(advance().empty());
    now += 1s;
    EXPECT_TRUE(advance().empty());
    succeed(a);
    EXPECT_EQ(advance().size(), 1U);
}

TEST_F(EngineTest, CallsUnderWayOfAQuotaAreBounded) {
    quota(1'000'000);
    config.quotas[0].max_in_flight = 1;
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    Call b = call();
    b.client = "d";
    ASSERT_TRUE(waits(offer(b)));
    EXPECT_TRUE(advance().empty());
    const auto limits = engine().status(now).targets[0].limits;
    EXPECT_EQ(limits.back().kind, LimitKind::in_flight);
    EXPECT_EQ(limits.back().limit, 1U);
    succeed(a);
    EXPECT_EQ(advance().size(), 1U);
    ASSERT_TRUE(waits(offer(call())));
    now += 46s;
    const auto late = advance();
    ASSERT_EQ(late.size(), 1U);
    EXPECT_EQ(std::get<Refusal>(late[0].decision).limit_kind, LimitKind::in_flight);
}

TEST_F(EngineTest, ConnectionsOfARegionAreBounded) {
    config.pool.max_connections = 1;
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    Call b = call();
    b.client = "d";
    ASSERT_TRUE(waits(offer(b)));
    EXPECT_TRUE(advance().empty());
    succeed(a);
    EXPECT_EQ(advance().size(), 1U);
}

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

TEST_F(EngineTest, AFinalRefusalIsRepeatedToTheSameInvocation) {
    Call a = call();
    a.invocation = "i-1";
    ASSERT_TRUE(granted(offer(a)));
    EXPECT_EQ(refused(fail(a, FailureClass::slow_model, 408)).repeated, false);
    Call again = call();
    again.invocation = "i-1";
    const Refusal r = refused(offer(again));
    EXPECT_TRUE(r.repeated);
    EXPECT_EQ(r.upstream->status, 408);
    Call somebody = call();
    somebody.invocation = "i-1";
    somebody.client = "else";
    EXPECT_TRUE(granted(offer(somebody)));
}

TEST_F(EngineTest, TheDeadlineHoldsForTheInvocationNotTheRequest) {
    Call a = call();
    a.invocation = "i-2";
    ASSERT_TRUE(granted(offer(a)));
    engine().sent(a.id, now);
    engine().cancel(a.id, std::nullopt, now);
    now += 60s;
    Call again = call();
    again.invocation = "i-2";
    EXPECT_EQ(refused(offer(again)).reason, RefusalReason::deadline);
}

TEST_F(EngineTest, ResidencyLeavesNowhereToGo) {
    route({{"us-east-1", ""}});
    config.routes[0].residency = "eu";
    EXPECT_EQ(refused(offer(call())).reason, RefusalReason::no_target);
    EXPECT_EQ(engine().status(now).skipped.at(0).reason, "residency");
}

TEST_F(EngineTest, ReconfigureKeepsLevelsAndWaitingCalls) {
    quota(1000);
    const Call a = call(900);
    ASSERT_TRUE(granted(offer(a)));
    engine().sent(a.id, now);
    const Call b = call(500);
    ASSERT_TRUE(waits(offer(b)));
    config.quotas[0].tokens_per_minute = 1100;
    engine().reconfigure(config, now);
    EXPECT_TRUE(advance().empty());
    EXPECT_EQ(engine().status(now).targets[0].limits[1].used, 900U);
    EXPECT_EQ(engine().status(now).waiting_calls, 1U);
    config.quotas[0].tokens_per_minute = 2000;
    engine().reconfigure(config, now);
    ASSERT_EQ(advance().size(), 1U);
}

TEST_F(EngineTest, StateForStrangersIsBounded) {
    for (int i = 0; i < 3000; ++i) {
        const std::string model = "model-" + std::to_string(i);
        const std::string client = "client-" + std::to_string(i);
        Call c = call();
        c.model = model;
        c.client = client;
        ASSERT_TRUE(granted(offer(c)));
        succeed(c);
    }
    const Status s = engine().status(now);
    EXPECT_LE(s.targets.size(), 1001U);
    EXPECT_LE(s.clients.size(), 2U);
}

TEST_F(EngineTest, TimeNeverRunsBackwards) {
    quota(1000);
    ASSERT_TRUE(granted(offer(call(900))));
    Call b = call(500);
    now -= 500s;
    EXPECT_TRUE(waits(offer(b)));
    EXPECT_TRUE(advance().empty());
}

}  // namespace
}  // namespace weir
