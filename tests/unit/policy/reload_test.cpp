// What a new configuration does to pools, to calls under way and to targets that go.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include <algorithm>
#include <map>
#include <string>

#include "policy/learned_limit.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

const std::string kA = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const std::string kB = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
const std::string kC = "us.anthropic.claude-opus-4-1-20250805-v1:0";
const std::string kD = "us.amazon.nova-pro-v1:0";

class ReloadTest : public ::testing::Test {
protected:
    using Lists = std::vector<std::vector<std::string>>;

    static Config config_of(const Lists& quotas, std::uint64_t tokens = 10'000) {
        Config c;
        c.regions = {{"us-east-1", {}}};
        c.default_region = "us-east-1";
        for (const auto& models : quotas) {
            QuotaConfig q;
            q.models = models;
            q.tokens_per_minute = tokens;
            q.output_burndown = 1;
            c.quotas.push_back(q);
        }
        return c;
    }
    Engine& engine() { return *engine_; }
    void start(const Config& config) { engine_.emplace(config, 1, now); }
    void reload(const Config& config) { engine().reconfigure(config, now); }
    Call call(const std::string& model, std::uint64_t tokens) {
        Call c;
        c.id = CallId{0, 0, ++generation};
        c.client = "c";
        c.model = model;
        c.home_region = "us-east-1";
        c.max_output = tokens;
        c.arrival = now;
        return c;
    }
    /// Granted, not sent.
    CallId grant(const std::string& model, std::uint64_t tokens) {
        const Call c = call(model, tokens);
        Decision d = engine().offer(c, now);
        if (std::holds_alternative<Wait>(d)) {  // for a later target's turn
            std::vector<Wake> woken;
            engine().advance(now, woken);
            d = woken.size() == 1 ? woken[0].decision : d;
        }
        EXPECT_TRUE(std::holds_alternative<Grant>(d));
        return c.id;
    }
    CallId send(const std::string& model, std::uint64_t tokens) {
        const CallId id = grant(model, tokens);
        engine().sent(id, now);
        return id;
    }
    void settle(CallId id, std::uint64_t output) {
        engine().settle(id, Usage{0, output, 0, 0, true}, now);
    }
    /// Used of the tokens of each model's pool.
    std::map<std::string, std::uint64_t> used() {
        std::map<std::string, std::uint64_t> found;
        for (const TargetStatus& t : engine().status(now).targets) {
            const auto at = std::ranges::find(t.limits, LimitKind::tokens, &LimitStatus::kind);
            found[t.model] = at == t.limits.end() ? 0 : at->used;
        }
        return found;
    }

    Instant now = Instant{} + 1000s;
    std::uint64_t generation = 0;
    std::optional<Engine> engine_;
};

TEST_F(ReloadTest, AListInAnotherOrderKeepsItsMinute) {
    start(config_of({{kA, kB}, {kC}}));
    settle(send(kA, 3000), 2000);
    const CallId sent = send(kB, 1000);
    const CallId granted = grant(kA, 500);
    settle(send(kC, 700), 700);
    for (const Lists& lists :
         {Lists{{kB, kA}, {kC}}, Lists{{kC}, {kB, kA}}, Lists{{kC}, {kD, kA, kB}}}) {
        reload(config_of(lists));
        EXPECT_EQ(used()[kA], 3500U);
        EXPECT_EQ(used()[kB], 3500U);
        EXPECT_EQ(used()[kC], 700U);
    }
    settle(sent, 400);
    settle(granted, 100);
    EXPECT_EQ(used()[kA], 2500U);
    settle(grant(kD, 100), 100);
    EXPECT_EQ(used()[kB], 2600U);
    now += 62s;
    EXPECT_EQ(used()[kA], 0U);
}

TEST_F(ReloadTest, TwoPoolsThatBecomeOneAddUp) {
    start(config_of({{kA}, {kB}}));
    settle(send(kA, 3000), 3000);
    settle(send(kB, 2000), 2000);
    const CallId sent = send(kA, 1000);
    const CallId granted = grant(kB, 500);
    reload(config_of({{kB, kA}}));
    EXPECT_EQ(used()[kA], 6500U);
    EXPECT_EQ(used()[kB], 6500U);
    settle(sent, 100);
    EXPECT_EQ(used()[kA], 5600U);
    settle(granted, 50);
    EXPECT_EQ(used()[kB], 5150U);
    EXPECT_TRUE(std::holds_alternative<Wait>(engine().offer(call(kA, 5000), now)));
}

TEST_F(ReloadTest, OnePoolThatBecomesTwoIsBoth) {
    start(config_of({{kA, kB}}));
    settle(send(kA, 3000), 3000);
    const CallId sent = send(kA, 1000);
    const CallId granted = grant(kB, 500);
    reload(config_of({{kA}, {kB}}));
    EXPECT_EQ(used()[kA], 4000U);
    EXPECT_EQ(used()[kB], 4500U);
    // Each ends in the pool of its own target.
    settle(sent, 100);
    EXPECT_EQ(used()[kA], 3100U);
    EXPECT_EQ(used()[kB], 4500U);
    engine().cancel(granted, std::nullopt, now);
    EXPECT_EQ(used()[kA], 3100U);
    EXPECT_EQ(used()[kB], 4000U);
    now += 62s;
    EXPECT_EQ(used()[kA], 0U);
    EXPECT_EQ(used()[kB], 0U);
}

TEST_F(ReloadTest, WhatWasOnePoolAndIsOneAgainCountsOnce) {
    start(config_of({{kA, kB}}));
    settle(send(kA, 3000), 3000);
    now += 1s;
    for (int i = 0; i < 5; ++i) {
        reload(config_of({{kA}, {kB}}));
        reload(config_of({{kA, kB}}));
        EXPECT_EQ(used()[kA], 3000U);
    }
    reload(config_of({{kA}, {kB}}));
    now += 1s;
    settle(send(kA, 500), 500);
    settle(send(kB, 600), 600);
    reload(config_of({{kB, kA}}));
    EXPECT_EQ(used()[kA], 4100U);
}

TEST_F(ReloadTest, ModelsThatChangePlacesTakeEachPoolOnce) {
    start(config_of({{kA, kB}, {kC, kD}}));
    for (const std::string& model : {kA, kB, kC, kD}) {
        settle(send(model, 1), 1);
    }
    settle(send(kA, 1000), 1000);
    settle(send(kC, 200), 200);
    const CallId sent = send(kB, 50);
    const CallId granted = grant(kD, 7);
    reload(config_of({{kA, kD}, {kC, kB}}));
    EXPECT_EQ(used()[kA], 1261U);  // 1204, kB's that is sent, kD's that is granted
    EXPECT_EQ(used()[kD], 1261U);
    EXPECT_EQ(used()[kC], 1254U);
    settle(sent, 0);
    EXPECT_EQ(used()[kC], 1204U);
    engine().cancel(granted, std::nullopt, now);
    EXPECT_EQ(used()[kA], 1254U);
}

TEST_F(ReloadTest, AnotherWindowBeginsAnewAndCallsEndInTheOldOne) {
    start(config_of({{kA, kB}}));
    const CallId sent = send(kA, 3000);
    const CallId granted = grant(kB, 500);
    Config other = config_of({{kB, kA}});
    other.quota_window = 10s;
    reload(other);
    EXPECT_EQ(used()[kA], 0U);
    reload(config_of({{kA, kB}}));
    settle(sent, 100);
    settle(granted, 100);
    EXPECT_EQ(used()[kA], 0U);
}

TEST_F(ReloadTest, ARefusedCallOfAPoolThatIsGoneEndsInItsHeir) {
    start(config_of({{kA}, {kB}}));
    send(kB, 100);
    const Call c = call(kA, 4000);
    ASSERT_TRUE(std::holds_alternative<Grant>(engine().offer(c, now)));
    engine().sent(c.id, now);
    reload(config_of({{kB, kA}}));
    Failure f;
    f.cls = FailureClass::quota_tokens;
    f.stage = Stage::sent;
    f.status = 429;
    EXPECT_TRUE(std::holds_alternative<Wait>(engine().report(c.id, f, now, "r")));
    EXPECT_EQ(used()[kA], 100U);
    now += 10s;
    std::vector<Wake> woken;
    engine().advance(now, woken);
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_TRUE(std::holds_alternative<Grant>(woken[0].decision));
    EXPECT_EQ(used()[kA], 4100U);
}

TEST_F(ReloadTest, TargetsThatAreGoneLeaveTheStatusUnderTraffic) {
    const auto routed = [](const std::vector<RouteTarget>& targets) {
        Config c = config_of({{kA}});
        c.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
        RouteConfig r;
        r.model = kA;
        r.targets = targets;
        c.routes = {r};
        return c;
    };
    const auto regions = [&] {
        std::string names;
        for (const TargetStatus& t : engine().status(now).targets) {
            names += t.region + ' ';
        }
        return names;
    };
    const RouteTarget east{"us-east-1", ""};
    const RouteTarget west{"us-west-2", ""};
    start(routed({east, west}));
    const CallId first = send(kA, 6000);   // east
    const CallId second = send(kA, 6000);  // west
    EXPECT_EQ(regions(), "us-east-1 us-west-2 ");
    settle(second, 10);
    reload(routed({east}));
    EXPECT_EQ(regions(), "us-east-1 ");
    reload(routed({west}));
    EXPECT_EQ(regions(), "us-east-1 us-west-2 ");  // until the call there ends
    const CallId third = send(kA, 100);
    settle(first, 10);
    EXPECT_EQ(regions(), "us-west-2 ");
    settle(third, 10);
    EXPECT_EQ(regions(), "us-west-2 ");
}

TEST_F(ReloadTest, ACallThatWasRefusedAtATargetThatIsGoneGoesOn) {
    const auto routed = [](const std::vector<RouteTarget>& targets) {
        Config c = config_of({{kA}});
        c.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
        RouteConfig r;
        r.model = kA;
        r.targets = targets;
        c.routes = {r};
        return c;
    };
    start(routed({{"us-east-1", ""}, {"us-west-2", ""}}));
    const Call c = call(kA, 100);
    ASSERT_TRUE(std::holds_alternative<Grant>(engine().offer(c, now)));
    const auto fail = [&] {
        Failure f;
        f.cls = FailureClass::capacity;
        f.stage = Stage::sent;
        f.status = 503;
        engine().sent(c.id, now);
        return engine().report(c.id, f, now, "r");
    };
    const Decision moved = fail();
    ASSERT_TRUE(std::holds_alternative<Grant>(moved));
    EXPECT_EQ(std::get<Grant>(moved).target->region, "us-west-2");
    reload(routed({{"us-west-2", ""}}));
    EXPECT_EQ(engine().status(now).targets.size(), 2U);
    EXPECT_FALSE(std::holds_alternative<Grant>(fail()));
    engine().cancel(c.id, std::nullopt, now);
    std::vector<Wake> woken;
    engine().advance(now, woken);
    EXPECT_EQ(engine().status(now).targets.size(), 1U);
}

TEST(LearnedLimits, OfTwoTheHigherHolds) {
    const Instant start{1000s};
    const auto learned = [&](std::uint64_t use) {
        policy::LearnedLimit limit(LimitKind::tokens, 60s);
        limit.accepted(use, 10, start);
        limit.refused(use, true, start + 1s);
        limit.accepted(use / 2, 10, start + 20s);
        limit.refused(use, true, start + 61s);
        return limit;
    };
    policy::LearnedLimit ours = learned(1000);
    const policy::LearnedLimit theirs = learned(3000);
    ASSERT_TRUE(ours.limit() && theirs.limit());
    ours.join(theirs);
    EXPECT_EQ(ours.limit(), theirs.limit());
    EXPECT_EQ(ours.peak(), 3000U);
    policy::LearnedLimit none(LimitKind::tokens, 60s);
    none.join(theirs);
    EXPECT_EQ(none.limit(), theirs.limit());
}

// An SDK's own tries carry one invocation.
class InvocationTest : public ReloadTest {
protected:
    Decision offer(const std::string& model, std::uint64_t tokens, const std::string& invocation,
                   std::optional<Duration> deadline = std::nullopt) {
        Call c = call(model, tokens);
        c.invocation = invocation;
        c.deadline = deadline;
        return engine().offer(c, now);
    }
    /// The last word on a call that was offered.
    Refusal refused(const Decision& decision) {
        if (const auto* r = std::get_if<Refusal>(&decision)) {
            return *r;
        }
        std::vector<Wake> woken;
        engine().advance(now, woken);
        for (const Wake& wake : woken) {
            if (const auto* r = std::get_if<Refusal>(&wake.decision)) {
                return *r;
            }
        }
        ADD_FAILURE() << "not refused";
        return {};
    }
};

TEST_F(InvocationTest, RefusedByQuotaItIsServedOnceThereIsRoom) {
    start(config_of({{kA}}));
    const CallId holder = send(kA, 9000);
    ASSERT_TRUE(std::holds_alternative<Wait>(engine().offer(call(kA, 2000), now)));
    const Refusal first = refused(offer(kA, 2000, "i"));
    EXPECT_EQ(first.reason, RefusalReason::quota);
    EXPECT_FALSE(first.repeated);
    now += 100ms;
    const Refusal again = refused(offer(kA, 2000, "i"));
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.reason, first.reason);
    EXPECT_EQ(again.retry_after, first.retry_after - 100ms);
    settle(holder, 10);  // there is room, sooner than was thought
    // Behind its own kind it does not overtake.
    EXPECT_TRUE(refused(offer(kA, 2000, "i")).repeated);
    std::vector<Wake> woken;
    engine().advance(now, woken);
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_TRUE(std::holds_alternative<Grant>(offer(kA, 2000, "i")));
}

TEST_F(InvocationTest, RefusedByTheDeadlineItIsServedOnceThereIsRoom) {
    start(config_of({{kA}}));
    const CallId holder = send(kA, 9000);
    ASSERT_TRUE(std::holds_alternative<Wait>(offer(kA, 2000, "i", 6s)));
    now += 6s;
    const Refusal first = refused(Wait{});
    EXPECT_EQ(first.reason, RefusalReason::deadline);
    const Refusal again = refused(offer(kA, 2000, "i", 6s));
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.reason, first.reason);
    settle(holder, 10);
    EXPECT_TRUE(std::holds_alternative<Grant>(offer(kA, 2000, "i", 6s)));
}

TEST_F(InvocationTest, RefusedByAFullQueueItIsServedOnceThereIsRoom) {
    Config config = config_of({{kA}});
    config.queue.max_waiting = 1;
    config.queue.max_wait = 10min;
    config.queue.deadline = 10min;
    start(config);
    const CallId holder = send(kA, 9000);
    ASSERT_TRUE(std::holds_alternative<Wait>(engine().offer(call(kA, 2000), now)));
    const Refusal first = refused(offer(kA, 2000, "i"));
    EXPECT_EQ(first.reason, RefusalReason::queue_full);
    EXPECT_FALSE(first.repeated);
    EXPECT_TRUE(refused(offer(kA, 2000, "i")).repeated);
    settle(holder, 10);
    std::vector<Wake> woken;
    engine().advance(now, woken);
    ASSERT_EQ(woken.size(), 1U);
    EXPECT_TRUE(std::holds_alternative<Grant>(offer(kA, 2000, "i")));
}

}  // namespace
}  // namespace weir
