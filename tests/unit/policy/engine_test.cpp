// The engine's promises, one at a time: grants, waits, what it keeps.
#include "unit/policy/engine_world.h"

namespace weir {
namespace {

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

TEST_F(EngineTest, WhatAnotherEngineRefusedIsRepeatedHere) {
    quota(1000);
    Engine other(config, 2, now);
    const auto ask = [&](Engine& e) {
        Call c = call(500);
        c.invocation = "i-3";
        return e.offer(c, now);
    };
    const Call before = call(900);
    ASSERT_TRUE(granted(offer(before)));
    Call late = call(500);
    late.invocation = "i-3";
    late.deadline = 1s;
    ASSERT_TRUE(std::holds_alternative<Wait>(offer(late)));
    now += 2s;
    std::vector<Wake> woken;
    engine().advance(now, woken);
    ASSERT_EQ(woken.size(), 1U);
    const Refusal first = refused(woken[0].decision);
    EXPECT_FALSE(engine().refused("somebody", "i-3", now)) << "of another client";
    const auto past = engine().refused(late.client, "i-3", now);
    ASSERT_TRUE(past);
    EXPECT_EQ(past->refusal.reason, first.reason);
    const Call there = call(900);
    ASSERT_TRUE(granted(other.offer(there, now)));
    now += 1s;
    other.remember(late.client, "i-3", *past, now);
    EXPECT_TRUE(refused(ask(other)).repeated);
    now += past->left;
    EXPECT_FALSE(other.refused(late.client, "i-3", now)) << "it has had its time";
}

TEST_F(EngineTest, WhatTheServiceRefusedIsNotToldToOthers) {
    Call a = call();
    a.invocation = "i-4";
    ASSERT_TRUE(granted(offer(a)));
    refused(fail(a, FailureClass::slow_model, 408));
    EXPECT_FALSE(engine().refused(a.client, "i-4", now));
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
