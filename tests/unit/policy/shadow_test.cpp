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

}  // namespace
}  // namespace weir::policy
