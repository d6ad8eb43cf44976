#include <gtest/gtest.h>

#include "policy/shadow.h"

namespace weir::policy {
namespace {

using namespace std::chrono_literals;
using Kind = Shadow::Outcome::Kind;

class ShadowTest : public ::testing::Test {
protected:
    ShadowTest() {
        config.regions = {{"r", {}}, {"s", {}}};
        config.default_region = "r";
        QuotaConfig quota;
        quota.models = {"m"};
        quota.region = "r";
        quota.tokens_per_minute = 1000;
        config.quotas.push_back(quota);
    }
    Shadow& shadow() {
        if (!shadow_) {
            shadow_.emplace(config, 1, now);
        }
        return *shadow_;
    }
    CallId come(std::uint64_t max_output, const char* client = "c") {
        Call call;
        call.id = CallId{0, 0, ++generation};
        call.client = client;
        call.model = "m";
        call.home_region = "r";
        call.max_output = max_output;
        call.arrival = now;
        shadow().offer(call, now);
        return call.id;
    }
    void end(CallId id, std::uint64_t output, Duration service = 1s, Kind kind = Kind::answered) {
        shadow().ended(id, {kind, Usage{0, output, 0, 0, true}, service}, now);
    }
    ObservedCounts counts() { return shadow().rows(now).at(0).counts; }

    Config config;
    Instant now = Instant{} + 1000s;
    std::uint64_t generation = 0;
    std::optional<Shadow> shadow_;
};

TEST_F(ShadowTest, WhatFitsWouldHaveGoneAtOnce) {
    const CallId a = come(500);
    now += 1s;
    end(a, 100);
    const ObservedCounts c = counts();
    EXPECT_EQ(c.calls, 1U);
    EXPECT_EQ(c.would_wait + c.would_refuse + c.would_move, 0U);
    EXPECT_EQ(c.reserved, 500U);
    EXPECT_EQ(c.settled, 100U);
}

TEST_F(ShadowTest, WhatWouldHaveWaitedIsSettledAfterItsVirtualTurn) {
    const CallId a = come(900);
    const CallId b = come(800);
    now += 2s;
    // The real one is over before its virtual turn has come.
    end(b, 50, 2s);
    EXPECT_EQ(counts().would_wait, 0U);
    now += 1s;
    end(a, 10, 3s);
    now += 1s;
    const ObservedCounts c = counts();
    EXPECT_EQ(c.would_wait, 1U);
    EXPECT_NEAR(c.wait_seconds, 3, 0.1);
    now += 10s;
    EXPECT_EQ(counts().settled, 60U);
}

TEST_F(ShadowTest, WhatCouldNeverFitWouldHaveBeenRefused) {
    const CallId a = come(2000);
    now += 1s;
    end(a, 0, 1s, Kind::throttled);
    const ObservedCounts c = counts();
    EXPECT_EQ(c.would_refuse, 1U);
    EXPECT_EQ(c.throttled, 1U);
}

TEST_F(ShadowTest, ATurnElsewhereIsAMove) {
    RouteConfig route;
    route.model = "m";
    route.spill_after = 0s;
    route.targets = {{"r", "", 0}, {"s", "", 0}};
    config.routes.push_back(route);
    come(900);
    come(800);
    EXPECT_EQ(counts().would_move, 1U);
}

TEST_F(ShadowTest, ItConcludesWhatToDo) {
    for (int i = 0; i < 10; ++i) {
        const CallId id = come(500);
        now += 1s;
        end(id, 500);
    }
    now += 300s;
    const auto advice = shadow().advice(now);
    ASSERT_EQ(advice.size(), 1U);
    EXPECT_EQ(advice[0].model, "m");
    // Ten calls of 500 tokens in a minute, those that it would have refused or held back included.
    EXPECT_EQ(advice[0].raise_tokens_to, 5700U) << advice[0].text;
}

TEST_F(ShadowTest, RowsAreBounded) {
    for (int i = 0; i < 500; ++i) {
        const std::string name = "client-" + std::to_string(i);
        end(come(1, name.c_str()), 1, 0s);
    }
    const auto rows = shadow().rows(now);
    EXPECT_LE(rows.size(), 201U);
    std::uint64_t calls = 0;
    for (const ObservedRow& row : rows) {
        calls += row.counts.calls;
    }
    EXPECT_EQ(calls, 500U);
}

TEST_F(ShadowTest, ModelsBeyondTheBoundAreOneAndGetNoAdvice) {
    for (int i = 0; i < 300; ++i) {
        Call call;
        call.id = CallId{0, 0, ++generation};
        const std::string model = "model-" + std::to_string(i);
        call.model = model;
        call.home_region = "r";
        call.arrival = now;
        shadow().offer(call, now);
        end(call.id, 1, 0s);
    }
    const auto advice = shadow().advice(now);
    EXPECT_LE(advice.size(), 200U);
    EXPECT_GE(advice.size(), 199U);
    for (const ObservedAdvice& one : advice) {
        EXPECT_TRUE(one.model.starts_with("model-")) << one.model;
    }
}

TEST_F(ShadowTest, AnEndThatNobodyBeganIsNothing) {
    end(CallId{0, 9, 99}, 5);
    EXPECT_TRUE(shadow().rows(now).empty());
    const CallId once = come(10);
    end(once, 5);
    now += 5s;
    end(once, 5);
    EXPECT_EQ(counts().settled, 5U) << "once";
}

TEST_F(ShadowTest, UsageThatIsNotKnownIsNotSettled) {
    const CallId running = come(10);
    shadow().ended(running, {Kind::answered, Usage(), 1s}, now);
    const CallId never = come(2000);
    shadow().ended(never, {Kind::answered, Usage(), 1s}, now);
    now += 5s;
    EXPECT_EQ(counts().settled, 0U);
    EXPECT_EQ(counts().would_refuse, 1U);
}

TEST_F(ShadowTest, OneThatWaitedInVainAndHasEndedIsRefusedInItsTime) {
    config.queue.max_wait = 5s;
    come(900);
    const CallId waits = come(800);
    now += 1s;
    end(waits, 10);
    now += 2min;
    EXPECT_EQ(counts().would_refuse + counts().would_wait, 1U);
    EXPECT_EQ(counts().calls, 2U);
}

TEST_F(ShadowTest, ATurnOfAnotherModelIsAMoveToo) {
    RouteConfig route;
    route.model = "m";
    route.degrade_after = 0s;
    route.targets = {{"r", "", 0}, {"r", "smaller", 0}};
    config.routes.push_back(route);
    come(900);
    come(800);
    EXPECT_EQ(counts().would_move, 1U);
}

TEST_F(ShadowTest, TurnsWithALoweredMaximumAreCounted) {
    RouteConfig route;
    route.model = "m";
    route.right_size = true;
    route.targets = {{"r", "", 0}};
    config.routes.push_back(route);
    config.quotas[0].tokens_per_minute = 1'000'000;
    for (int i = 0; i < 300; ++i) {
        end(come(500), 10, 0s);
        now += 1s;
    }
    EXPECT_GT(counts().would_right_size, 0U);
    EXPECT_EQ(counts().would_move, 0U);
}

/// What the books say to the exchange that is due.
class SharedShadowTest : public ShadowTest {
protected:
    SharedShadowTest() { config.shared.emplace(); }

    BookExchange exchange() {
        auto all = shadow().exchanges(now);
        EXPECT_EQ(all.size(), 1U);
        return all.empty() ? BookExchange{} : all.front();
    }
    void answer(const BookExchange& to, const BookAmounts& granted) {
        BookAnswer a;
        a.quota = to.quota;
        a.before = to.seq - 1;
        a.seq = to.seq;
        a.now = 1'000'000'000 + (now - Instant{}) / 1us;
        a.epoch = 1;
        a.instances = 2;
        a.granted = granted;
        shadow().answered(a, now);
    }
};

TEST_F(SharedShadowTest, ItAsksForRoomAndTellsWhatItWouldHaveSent) {
    const CallId a = come(500);
    const BookExchange first = exchange();
    ASSERT_EQ(first.heads.size(), 1U);
    EXPECT_EQ(first.heads[0].need[1], 500);
    answer(first, first.heads[0].need);
    EXPECT_EQ(counts().would_wait, 0U) << "to have asked is no wait";
    EXPECT_EQ(shadow().shared(now).at(0).instances, 2U);
    now += 150ms;
    ASSERT_TRUE(shadow().due());
    EXPECT_LE(*shadow().due(), now);
    EXPECT_EQ(exchange().spent[1], 500);
    end(a, 100, 100ms);
    EXPECT_EQ(counts().settled, 100U);
}

TEST_F(SharedShadowTest, WhatOthersUseMakesItWait) {
    const CallId a = come(500);
    answer(exchange(), {});
    now += 1s;
    end(a, 100);
    const BookExchange again = exchange();
    ASSERT_EQ(again.heads.size(), 1U) << "the real one is over, and its turn has not come";
    answer(again, again.heads[0].need);
    EXPECT_EQ(counts().would_wait, 1U);
    EXPECT_NEAR(counts().wait_seconds, 1, 0.01);
}

TEST_F(SharedShadowTest, WithoutTheStoreItCountsAlone) {
    come(500);
    shadow().unanswered(exchange().quota, now);
    now += 1s;
    EXPECT_EQ(counts().would_refuse, 0U);
    EXPECT_EQ(shadow().due().has_value(), true) << "it tries again";
}

}  // namespace
}  // namespace weir::policy
