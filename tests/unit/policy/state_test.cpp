// What one engine leaves to the next, in plain values: what comes back, and what is of no use.
#include <weir/engine.h>
#include <weir/engine_state.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "unit/given.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

class StateTest : public ::testing::Test {
protected:
    StateTest() {
        config.regions = {{"r", {}}};
        config.default_region = "r";
    }
    void tokens(std::uint64_t limit) {
        QuotaConfig quota;
        quota.models = {"m"};
        quota.tokens_per_minute = limit;
        quota.output_burndown = 1;
        config.quotas = {quota};
    }
    /// mantle counts input and output apart.
    void apart(std::uint64_t input, std::uint64_t output) {
        QuotaConfig quota;
        quota.models = {kPlainOpus};
        quota.endpoint = Endpoint::mantle;
        quota.input_tokens_per_minute = input;
        quota.output_tokens_per_minute = output;
        config.quotas = {quota};
        config.routes.resize(1);
        config.routes[0].model = "m";
        config.routes[0].targets.resize(1);
        config.routes[0].targets[0].region = "r";
        config.routes[0].targets[0].model = kPlainOpus;
        config.routes[0].targets[0].endpoint = Endpoint::mantle;
    }
    Engine& engine() {
        if (!engine_) {
            engine_.emplace(config, 1, now);
        }
        return *engine_;
    }
    Call call(std::uint64_t input, std::uint64_t output) {
        Call c;
        c.id = CallId{0, 0, ++generation};
        c.model = "m";
        c.home_region = "r";
        c.reach = Reach::both;
        c.input_estimate = input;
        c.max_output = output;
        c.arrival = now;
        return c;
    }
    CallId send(std::uint64_t input, std::uint64_t output) {
        const Call c = call(input, output);
        EXPECT_TRUE(std::holds_alternative<Grant>(engine().offer(c, now)));
        engine().sent(c.id, now);
        return c.id;
    }
    void answer(std::uint64_t input, std::uint64_t output) {
        const CallId id = send(input, output);
        engine().settle(id, Usage{input, output, 0, 0, true}, now);
    }
    void refuse() {
        Failure failure;
        failure.cls = FailureClass::quota_tokens;
        failure.stage = Stage::sent;
        failure.status = 429;
        const CallId id = send(10, 10);
        engine().report(id, failure, now);
        engine().cancel(id, std::nullopt, now);
    }
    /// The next process, `down` later.
    void restart(Duration down = 2s, bool complete = true) {
        EngineState left = engine().state(now);
        left.age = down;
        left.unrecorded = complete ? Duration::zero() : down;
        begin_with(std::move(left), down);
    }
    void begin_with(EngineState left, Duration down) {
        now += down;
        engine_.emplace(config, 2, now);
        engine_->resume(std::move(left), now);
    }
    std::uint64_t used(LimitKind kind) {
        // Any call makes the target known; a refused or waiting one does, too.
        const Call c = call(0, 1);
        engine().offer(c, now);
        engine().cancel(c.id, std::nullopt, now);
        const Status status = engine().status(now);
        for (const LimitStatus& limit : status.targets.at(0).limits) {
            if (limit.kind == kind) {
                return limit.used;
            }
        }
        return 0;
    }

    Config config;
    Instant now = Instant{} + 1000s;
    std::uint64_t generation = 0;
    std::optional<Engine> engine_;
};

TEST_F(StateTest, InputAndOutputThatAreCountedApartComeBackEach) {
    apart(10'000, 5'000);
    answer(3000, 700);
    restart();
    EXPECT_EQ(used(LimitKind::input_tokens), 3000U);
    EXPECT_EQ(used(LimitKind::output_tokens), 700U);
    now += 2min;
    EXPECT_EQ(used(LimitKind::output_tokens), 0U);
}

TEST_F(StateTest, ACallUnderWayCountsByWhatItIsExpectedToCost) {
    tokens(10'000);
    for (int i = 0; i < 50; ++i) {
        const CallId id = send(10, 100);
        engine().settle(id, Usage{10, 20, 0, 0, true}, now);
        now += 10s;
    }
    now += 5min;
    const CallId open = send(10, 4000);
    const Call unsent = call(10, 1000);
    ASSERT_TRUE(std::holds_alternative<Grant>(engine().offer(unsent, now)));
    EngineState left = engine().state(now);
    ASSERT_EQ(left.pools.size(), 1U);
    std::uint64_t all = 0;
    for (const auto& part : left.pools[0].meters.at(1).used) {
        all += part.amount;
    }
    EXPECT_GT(all, 10U);
    EXPECT_LT(all, 4000U) << "if the process ends, so does the call";
    engine().cancel(open, std::nullopt, now);
    engine().cancel(unsent.id, std::nullopt, now);
}

TEST_F(StateTest, WhatIsOfAnotherWindowIsOfNoUse) {
    tokens(10'000);
    answer(1000, 0);
    EngineState left = engine().state(now);
    left.unrecorded = Duration::zero();
    config.quota_window = 10s;
    begin_with(left, 1s);
    EXPECT_EQ(used(LimitKind::tokens), 0U);
}

TEST_F(StateTest, UseAfterTheLastWordIsTakenToHaveGoneOn) {
    tokens(10'000);
    answer(3000, 0);
    restart(20s, false);
    EXPECT_GT(used(LimitKind::tokens), 3000U);
}

TEST_F(StateTest, ASpellOfRefusalsIsExpectedToLast) {
    tokens(100'000);
    for (int i = 0; i < 3; ++i) {
        refuse();
        now += 100ms;
        std::vector<Wake> woken;
        engine().advance(now, woken);
        for (const Wake& wake : woken) {
            engine().cancel(wake.id, std::nullopt, now);
        }
        if (!std::holds_alternative<Grant>(engine().offer(call(1, 1), now))) {
            break;
        }
    }
    const EngineState left = engine().state(now);
    ASSERT_EQ(left.pools.size(), 1U);
    ASSERT_TRUE(left.pools[0].throttled);
    restart();
    int granted = 0;
    for (int i = 0; i < 20; ++i) {
        granted += std::holds_alternative<Grant>(engine().offer(call(1, 1), now)) ? 1 : 0;
    }
    EXPECT_LT(granted, 20) << "a few find out whether it lasts";
}

TEST_F(StateTest, WhatNobodyHasAskedForSinceIsHandedOnUntilItIsOld) {
    tokens(10'000);
    answer(1000, 0);
    restart();
    // Nobody asks. The next one still gets it, older by the time between.
    const EngineState handed_on = engine().state(now);
    ASSERT_EQ(handed_on.pools.size(), 1U);
    EXPECT_EQ(handed_on.pools[0].targets[0].model, "m");
    EXPECT_GE(handed_on.pools[0].meters.at(1).used.at(0).age, 2s);
    const EngineState early = engine().state(now + 30min);
    EXPECT_EQ(early.pools.size(), 1U) << "what was learned may be of use for an hour";
    EXPECT_TRUE(engine().state(now + 25h).pools.empty());
    EXPECT_EQ(used(LimitKind::tokens), 1000U);
    EXPECT_EQ(engine().state(now).pools.size(), 1U) << "not twice";
}

TEST_F(StateTest, ALearnedLimitComesBackWithItsRefusals) {
    EngineState left;
    left.window = 60s;
    left.unrecorded = Duration::zero();
    EngineState::Pool& pool = left.pools.emplace_back();
    pool.targets = {{"r", "m"}};
    EngineState::Meter& meter = pool.meters.emplace_back();
    meter.kind = LimitKind::tokens;
    meter.shapes.fill(1.0 / EngineState::kShapes);
    meter.learned.limit = 5000;
    meter.learned.peaks.fill(5000);
    meter.learned.refused = 30s;
    meter.probe_pause = 10min;
    meter.probe_in = 5s;
    begin_with(left, 1s);
    answer(1, 1);
    const Status status = engine().status(now);
    const auto& limits = status.targets.at(0).limits;
    const auto learned = std::ranges::find(limits, LimitKind::tokens, &LimitStatus::kind);
    ASSERT_NE(learned, limits.end());
    EXPECT_TRUE(learned->learned);
    EXPECT_EQ(learned->limit, 5000U);
    EXPECT_EQ(learned->accepted_peak, 5000U);
    EXPECT_GE(learned->confirmed_ago, 30s);
    EXPECT_LE(learned->confirmed_ago, 60s);
    const EngineState again = engine().state(now + 2h);
    ASSERT_EQ(again.pools.size(), 1U);
    EXPECT_LE(again.pools[0].meters.at(1).probe_pause, 1h) << "a pause is bounded";
}

}  // namespace
}  // namespace weir
