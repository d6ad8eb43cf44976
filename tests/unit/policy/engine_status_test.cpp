// What a snapshot tells of quotas and breakers beyond the plain counts.
#include "engine_world.h"

#include <algorithm>

namespace weir {
namespace {

class EngineStatus : public EngineTest {
protected:
    LimitStatus tokens() {
        const Status status = engine().status(now);
        const auto& limits = status.targets.at(0).limits;
        const auto found = std::ranges::find(limits, LimitKind::tokens, &LimitStatus::kind);
        return found == limits.end() ? LimitStatus() : *found;
    }
};

TEST_F(EngineStatus, UseOfTheQuotaByOthersIsToldApartAndFades) {
    quota(10'000);
    route({{"us-east-1", {}}});
    (void)engine();
    now += 3min;  // a refusal in the first window would be put down to use before the start
    const Call big = call(1200);
    ASSERT_TRUE(granted(offer(big)));
    engine().sent(big.id, now);
    engine().began(big.id, now);
    engine().settle(big.id, Usage{4000, 200, 0, 0, true}, now);
    now += 50s;  // no shape of the minute explains a refusal so long after
    EXPECT_EQ(tokens().foreign, 0U);
    EXPECT_EQ(tokens().by_instances, 0U) << "no store";
    const std::uint64_t used = tokens().used;
    EXPECT_GT(used, 4000U);
    const Call refused_call = call(100);
    ASSERT_TRUE(granted(offer(refused_call)));
    fail(refused_call, FailureClass::quota_tokens, 429);
    EXPECT_GT(tokens().foreign, 1000U) << "weir's own use does not explain the 429";
    EXPECT_LE(tokens().used, used + 1000) << "it is not part of the use that weir knows of";
    const std::uint64_t before = tokens().foreign;
    now += 60s;
    EXPECT_LT(tokens().foreign, before / 2);
}

TEST_F(EngineStatus, AnOpenBreakerSaysWhenItIsProbed) {
    route({{"us-east-1", {}}});
    for (int i = 0; i < 20; ++i) {
        const std::string client = "client" + std::to_string(i);
        Call c = call();
        c.client = client;
        if (!granted(offer(c))) {
            engine().cancel(c.id, std::nullopt, now);
            break;
        }
        fail(c, FailureClass::capacity);
        engine().cancel(c.id, std::nullopt, now);
    }
    const Status open = engine().status(now);
    ASSERT_EQ(open.targets.at(0).breaker, BreakerState::open);
    const Duration left = open.targets[0].breaker_left;
    EXPECT_GT(left, Duration::zero());
    EXPECT_LE(left, 36s) << "breaker.max_open, and a fifth";
    now += 1s;
    EXPECT_EQ(engine().status(now).targets[0].breaker_left, left - 1s);
    now += 40s;
    EXPECT_EQ(engine().status(now).targets[0].breaker_left, Duration::zero());
}

TEST_F(EngineStatus, WhatACallHoldsStandsBesideWhatItCosts) {
    quota(1'000'000);
    route({{"us-east-1", {}}});
    for (int i = 0; i < 5; ++i) {
        const Call c = call(1000);
        ASSERT_TRUE(granted(offer(c)));
        succeed(c);
        now += 1s;
    }
    const TargetStatus target = engine().status(now).targets.at(0);
    EXPECT_GT(target.mean_reserved, 900);
    EXPECT_LT(target.mean_settled_cost, 100);
}

}  // namespace
}  // namespace weir
