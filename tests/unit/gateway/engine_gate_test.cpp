// The lock round the engine: who is handed on, on which loop, and the timer for the rest.
#include "gateway/engine_gate.h"

#include "gateway/deciders.h"
#include "requests.h"

#include <gtest/gtest.h>

#include <set>

namespace weir::gateway {
namespace {

using namespace test;
using namespace std::chrono_literals;

Call call_of(std::uint64_t generation, std::uint32_t worker = 0) {
    Call call;
    call.id = CallId{worker, static_cast<std::uint32_t>(generation), generation};
    call.model = kModel;
    call.home_region = "us-east-1";
    call.arrival = std::chrono::steady_clock::now();
    return call;
}

Config limited(std::uint64_t in_flight) {
    Config config = two_regions();
    config.quotas = {quota_of(kModel, "us-east-1")};
    config.quotas[0].requests_per_minute = 100'000;
    config.quotas[0].max_in_flight = in_flight;
    return config;
}

/// The state of a process that has used nothing: an unknown past would be felt out call by call.
EngineState nothing_used(const Config& config) {
    const Instant now = std::chrono::steady_clock::now();
    EngineState state = Engine(config, 1, now).state(now);
    state.unrecorded = Duration::zero();
    return state;
}

TEST(EngineGate, AThousandThatMayGoAtOnceAreHandedOnInTurnsWithoutBeingLost) {
    net::Loop timers(0);
    net::Loop calls(1);
    std::set<std::uint64_t> woken;
    EngineGate gate(limited(1), 1, nothing_used(limited(1)), {&timers, &calls},
                    [&](const Wake& wake) {
                        EXPECT_TRUE(std::holds_alternative<Grant>(wake.decision));
                        EXPECT_TRUE(woken.insert(wake.id.generation).second);
                    });
    constexpr std::uint64_t kCalls = 1000;
    for (std::uint64_t i = 1; i <= kCalls; ++i) {
        EXPECT_EQ(std::holds_alternative<Wait>(gate.offer(call_of(i, 1))), i > 1) << i;
    }
    gate.reconfigure(limited(10 * kCalls));
    calls.poll();  // what the timer hands on comes only with the other loop
    EXPECT_LT(woken.size(), kCalls - 1) << "one hold of the lock is bounded";
    while (woken.size() < kCalls - 1) {
        timers.poll();
        calls.poll();
    }
    EXPECT_EQ(gate.status().in_flight, kCalls);
}

TEST(EngineGate, WhatWaitsAndIsCancelledHoldsNothing) {
    net::Loop loop(0);
    std::size_t woken = 0;
    EngineGate gate(limited(1), 1, EngineState(), {&loop}, [&](const Wake&) { ++woken; });
    const Call first = call_of(1);
    const Call second = call_of(2);
    EXPECT_TRUE(std::holds_alternative<Grant>(gate.offer(first)));
    EXPECT_TRUE(std::holds_alternative<Wait>(gate.offer(second)));
    gate.cancel(second.id, std::nullopt);
    gate.sent(first.id);
    gate.complete(first.id, Usage{1, 2, 0, 0, true});
    while (loop.poll() > 0) {
    }
    EXPECT_EQ(woken, 0U);
    EXPECT_EQ(gate.status().in_flight, 0U);
    ASSERT_FALSE(gate.state().pools.empty());
    EXPECT_FALSE(gate.state().pools[0].meters.empty());
}

/// What an unlimited call may do by itself, without an engine's word.
struct AsItCameTest : ::testing::Test {
    World world{two_regions()};
    ScriptedClient client{world.loop, converse()};
    Request request{world.snapshot, client, world.shared.buffered};

    static bool again(Decider& decider, FailureClass cls, Stage stage, bool blameless) {
        Failure failure;
        failure.cls = cls;
        failure.stage = stage;
        failure.blameless = blameless;
        return std::holds_alternative<Grant>(decider.report(failure));
    }
};

TEST_F(AsItCameTest, IsSentAgainWhereItWasNotSentOrTheKeysWereOld) {
    AsItCame decider(request);
    EXPECT_TRUE(std::holds_alternative<Grant>(decider.offer(Call())));
    EXPECT_TRUE(again(decider, FailureClass::network, Stage::not_sent, true));
    EXPECT_TRUE(again(decider, FailureClass::credentials, Stage::sent, false));
    EXPECT_FALSE(again(decider, FailureClass::network, Stage::not_sent, true))
        << "three times are enough";
}

TEST_F(AsItCameTest, IsNotSentAgainWhereItMayHaveBeenRead) {
    AsItCame decider(request);
    decider.offer(Call());
    EXPECT_FALSE(again(decider, FailureClass::network, Stage::not_sent, false));
    EXPECT_FALSE(again(decider, FailureClass::reset, Stage::sent, true));
    AsItCame keys(request);
    keys.offer(Call());
    EXPECT_TRUE(again(keys, FailureClass::credentials, Stage::sent, false));
    EXPECT_FALSE(again(keys, FailureClass::credentials, Stage::sent, false)) << "once";
}

}  // namespace
}  // namespace weir::gateway
