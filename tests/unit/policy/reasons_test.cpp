// What the engine says to those who ask later: why a call waits, why it goes where it goes.
#include "unit/policy/engine_world.h"

namespace weir {
namespace {

const Reasons& why(const Decision& d) {
    return std::get<Grant>(d).why;
}

TEST_F(EngineTest, ACallThatWaitsForTokensIsToldTheFiguresOfTheLimit) {
    quota(1000);
    const Call a = call(900);
    ASSERT_TRUE(granted(offer(a)));
    const Call b = call(500);
    ASSERT_TRUE(waits(offer(b)));
    const auto standing = engine().standing(b.id, now);
    ASSERT_TRUE(standing);
    EXPECT_EQ(standing->cause, Hindrance::quota);
    EXPECT_EQ(standing->region, "us-east-1");
    EXPECT_EQ(standing->model, kSonnet);
    EXPECT_EQ(standing->limit_kind, LimitKind::tokens);
    EXPECT_EQ(standing->limit, 1000U);
    EXPECT_EQ(standing->used, 900U);
    EXPECT_EQ(standing->cost, 500U);
    EXPECT_EQ(standing->calls_before, 0U);
    EXPECT_EQ(standing->targets, 1U);
}

TEST_F(EngineTest, ThoseBeforeItAreCounted) {
    quota(1000);
    const Call before = call(1);
    ASSERT_TRUE(granted(offer(before)));
    engine().sent(before.id, now);
    now += 2s;
    succeed(before);  // so calls are known to take two seconds
    const Call first = call(900);
    ASSERT_TRUE(granted(offer(first)));
    engine().sent(first.id, now);
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(waits(offer(call(200))));
    }
    const Call last = call(300);
    ASSERT_TRUE(waits(offer(last)));
    const auto standing = engine().standing(last.id, now);
    EXPECT_EQ(standing->calls_before, 3U);
    EXPECT_EQ(standing->tokens_before, 600U);
    ASSERT_TRUE(standing->turn);
    EXPECT_GT(*standing->turn, Duration::zero());
}

TEST_F(EngineTest, WithSeveralTargetsThoseBeforeItAreCountedWhole) {
    quota(10'000);
    route({{"us-east-1", {}}, {"us-west-2", {}}});
    config.routes[0].spill_after = Duration::zero();
    config.queue.deadline = config.queue.max_wait = 200s;
    for (int i = 0; i < 2; ++i) {
        const Call full = call(9'900);
        ASSERT_TRUE(granted(offer(full)));
        engine().sent(full.id, now);
    }
    for (std::uint64_t before = 0; before < 6; ++before) {
        const Call next = call(200);
        ASSERT_TRUE(waits(offer(next)));
        const auto standing = engine().standing(next.id, now);
        EXPECT_EQ(standing->calls_before, before);
        EXPECT_EQ(standing->tokens_before, before * 200);
    }
}

TEST_F(EngineTest, OnlyAWaitingCallHasAPlaceInLine) {
    quota(1000);
    const Call a = call(900);
    ASSERT_TRUE(granted(offer(a)));
    EXPECT_FALSE(engine().standing(a.id, now));
    EXPECT_FALSE(engine().standing(call().id, now));
}

TEST_F(EngineTest, AClientsOwnLimitIsNamedAsTheCause) {
    ClientConfig client;
    client.name = "c";
    client.requests_per_minute = 1;
    config.clients.push_back(client);
    ASSERT_TRUE(granted(offer(call())));
    Call second = call();
    second.deadline = 200s;
    config.queue.max_wait = 200s;
    engine().reconfigure(config, now);
    ASSERT_TRUE(waits(offer(second)));
    const auto standing = engine().standing(second.id, now);
    EXPECT_EQ(standing->cause, Hindrance::client_limit);
    EXPECT_EQ(standing->limit_kind, LimitKind::requests);
    EXPECT_EQ(standing->limit, 1U);
    ASSERT_TRUE(standing->turn);
    EXPECT_GT(*standing->turn, 50s) << "when the minute is over";
}

TEST_F(EngineTest, AFullTargetIsNamedAsTheCause) {
    QuotaConfig q;
    q.models = {kSonnet};
    q.max_in_flight = 1;
    config.quotas.push_back(q);
    ASSERT_TRUE(granted(offer(call())));
    const Call second = call();
    ASSERT_TRUE(waits(offer(second)));
    const auto standing = engine().standing(second.id, now);
    EXPECT_EQ(standing->cause, Hindrance::in_flight);
    EXPECT_EQ(standing->limit_kind, LimitKind::in_flight);
    EXPECT_EQ(standing->limit, 1U);
}

TEST_F(EngineTest, ARepeatThatPausesWaitsForWhatFailed) {
    config.retry.jitter = Jitter::none;
    config.retry.budget = 10;
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    ASSERT_TRUE(waits(fail(a, FailureClass::server, 500)));
    const auto standing = engine().standing(a.id, now);
    ASSERT_TRUE(standing);
    EXPECT_EQ(standing->cause, Hindrance::failed);
    now += 10s;
    const auto woken = advance();
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_EQ(why(woken[0].decision).choice, Choice::again);
}

TEST_F(EngineTest, ABreakerThatOpensMeanwhileIsTheCauseAndNotThePause) {
    config.breaker.failures = 1;
    config.retry.budget = 10;
    Call last = call();
    for (const char* client : {"c", "d", "e", "f"}) {
        last = call();
        last.client = client;
        if (!granted(offer(last))) {
            break;  // it is open
        }
        fail(last, FailureClass::server, 503);
    }
    const auto standing = engine().standing(last.id, now);
    ASSERT_TRUE(standing);
    EXPECT_EQ(standing->cause, Hindrance::breaker);
}

TEST_F(EngineTest, ATokenRefusalOfTheServiceIsAPause) {
    quota(100'000);
    const Call a = call();
    ASSERT_TRUE(granted(offer(a)));
    ASSERT_TRUE(waits(fail(a, FailureClass::quota_tokens, 429)));
    EXPECT_EQ(engine().standing(a.id, now)->cause, Hindrance::throttled);
}

TEST_F(EngineTest, TheFirstChoiceOrOneOfEquals) {
    ASSERT_EQ(why(offer(call())).choice, Choice::first);
    config.routes.clear();
    route({{"us-east-1", {}, 1}, {"us-west-2", {}, 1}});
    engine().reconfigure(config, now);
    EXPECT_EQ(why(offer(call())).choice, Choice::drawn);
}

TEST_F(EngineTest, ASpillSaysWhatTheFirstTargetLacked) {
    route({{"us-east-1", {}}, {"us-west-2", {}}});
    QuotaConfig east;
    east.models = {kSonnet};
    east.region = "us-east-1";
    east.tokens_per_minute = 1000;
    config.quotas.push_back(east);
    config.routes[0].spill_after = Duration::zero();
    ASSERT_EQ(why(offer(call(900))).choice, Choice::first);
    const Decision spilled = offer(call(500));
    ASSERT_TRUE(granted(spilled));
    EXPECT_EQ(std::get<Grant>(spilled).target->region, "us-west-2");
    EXPECT_EQ(why(spilled).choice, Choice::spilled);
    EXPECT_EQ(why(spilled).first_hindered, Hindrance::quota);
}

TEST_F(EngineTest, AnOpenBreakerIsTheReasonOfASpill) {
    route({{"us-east-1", {}}, {"us-west-2", {}}});
    config.breaker.failures = 1;
    for (const char* client : {"c", "d", "e", "f"}) {  // a breaker opens for what several see
        Call a = call();
        a.client = client;
        if (std::get<Grant>(offer(a)).target->region == "us-east-1") {
            const Decision next = fail(a, FailureClass::server, 503);
            ASSERT_TRUE(granted(next));
            EXPECT_EQ(why(next).choice, Choice::elsewhere);
        }
        succeed(a);
    }
    const Decision d = offer(call());
    ASSERT_TRUE(granted(d));
    ASSERT_EQ(std::get<Grant>(d).target->region, "us-west-2");
    EXPECT_EQ(why(d).choice, Choice::spilled);
    EXPECT_EQ(why(d).first_hindered, Hindrance::breaker);
}

TEST_F(EngineTest, AnOrderIsTheReasonOfASpill) {
    route({{"us-east-1", {}}, {"us-west-2", {}}});
    for (const Hold order : {Hold::closed, Hold::drain}) {
        ASSERT_TRUE(engine().hold({.hold = order,
                                   .targets = {"us-east-1", {}, {}},
                                   .lasts = 15min,
                                   .reason = "drill",
                                   .by = "operator"},
                                  now));
        const Decision d = offer(call());
        ASSERT_TRUE(granted(d));
        ASSERT_EQ(std::get<Grant>(d).target->region, "us-west-2");
        EXPECT_EQ(why(d).choice, Choice::spilled);
        EXPECT_EQ(why(d).first_hindered, Hindrance::held);
    }
}

TEST_F(EngineTest, AGrantSaysHowItsReservationIsMade) {
    quota(1'000'000);
    Call a = call(400);
    a.input_estimate = 1000;
    const Decision d = offer(a);
    const Grant& grant = std::get<Grant>(d);
    EXPECT_EQ(grant.why.input_expected, 1000U);
    EXPECT_EQ(grant.why.input_held, 1350U) << "cold, the margin is 1.35";
    EXPECT_EQ(grant.why.output, 400U);
    EXPECT_EQ(grant.why.output_held, 400U);
    EXPECT_EQ(grant.reservation, grant.why.input_held + grant.why.output_held);
    EXPECT_EQ(grant.why.input_known, 0U);
}

}  // namespace
}  // namespace weir
