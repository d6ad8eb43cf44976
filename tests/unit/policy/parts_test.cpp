// Estimator, invocation memory, eligibility and the indexed heap.
#include <gtest/gtest.h>

#include "policy/eligibility.h"
#include "policy/estimator.h"
#include "policy/indexed_heap.h"
#include "policy/invocation_memory.h"
#include "policy/random.h"

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

TEST(Estimator, IsCautiousColdAndLearnsTheRatio) {
    Estimator e;
    EXPECT_EQ(e.held_input(1000), 1350U);
    EXPECT_NEAR(static_cast<double>(e.cheapest_input(1350)), 1000, 1);
    Random random(3);
    for (int i = 0; i < 300; ++i) {
        Usage u;
        u.input = static_cast<std::uint64_t>(1200 + 40 * random.uniform());
        u.output = 100;
        u.known = true;
        e.learn_usage(1000, u, u.input + 5 * u.output);
    }
    EXPECT_NEAR(e.ratio(), 1.22, 0.02);
    EXPECT_LT(e.margin(), 1.06);
    EXPECT_GE(e.held_input(1000), 1235U);
    EXPECT_LE(e.held_input(1000), 1320U);
    EXPECT_NEAR(e.expected_cost(1000, 4096, 5), 1720, 30);
}

TEST(Estimator, UnderLoadOneAnswerAMillisecondIsLearnedFrom) {
    const auto learn = [](Estimator& e, Instant at, std::uint64_t input) {
        Usage u;
        u.input = input;
        u.known = true;
        const bool closely = e.due(at);
        e.learn_usage(1000, u, u.input, closely);
        e.learn_complete(1s, false, closely);
        return closely;
    };
    Estimator e;
    Instant now{1h};
    for (int i = 0; i < 1000; ++i) {
        EXPECT_TRUE(learn(e, now, 1000));  // the first ones all, however fast they come
    }
    int closely = 0;
    for (int i = 0; i < 50'000; ++i, now += 20us) {
        closely += learn(e, now, 2000) ? 1 : 0;
    }
    EXPECT_NEAR(closely, 1000, 1);
    EXPECT_NEAR(e.ratio(), 2, 0.05);           // and what has changed is found out all the same
    EXPECT_TRUE(learn(e, now - 30min, 2000));  // a clock that is behind keeps nobody from learning
}

TEST(Estimator, HostileUsageStaysWithinBounds) {
    Estimator e;
    Usage u;
    u.input = ~0ULL;
    u.output = ~0ULL;
    u.known = true;
    for (int i = 0; i < 100; ++i) {
        e.learn_usage(1, u, kMostTokens);
        e.learn_usage(0, Usage{}, 0);
    }
    EXPECT_LE(e.held_input(~0ULL), kMostTokens);
    EXPECT_LE(e.ratio(), 16);
}

TEST(Estimator, SaysWhatMaxTokensHoldsInVain) {
    Estimator e;
    EXPECT_EQ(e.usable_share(60s), 1);
    Usage u;
    u.known = true;
    for (int i = 0; i < 50; ++i) {
        e.learn_reservation(65'000, 64'000);
        e.learn_usage(1000, u, 2500);
        e.learn_complete(5s, false);
    }
    // 60c / (60c + S(M + I - c))
    EXPECT_NEAR(e.usable_share(60s), 60 * 2500.0 / (60 * 2500.0 + 5 * 62'500.0), 0.01);
}

TEST(FadingQuantile, FindsTheTail) {
    FadingQuantile q(1e-3);
    Random random(9);
    for (int i = 0; i < 5000; ++i) {
        q.add(random.uniform());
    }
    EXPECT_NEAR(q.quantile(0.95), 0.95, 0.06);
    EXPECT_NEAR(q.quantile(0.5), 0.5, 0.05);
}

TEST(InvocationMemory, RemembersByClientAndForgetsTheOldest) {
    InvocationMemory memory(3);
    EXPECT_EQ(memory.remember("a", ""), nullptr);
    memory.remember("a", "1")->attempts = 7;
    EXPECT_EQ(memory.find("b", "1"), nullptr);
    ASSERT_NE(memory.find("a", "1"), nullptr);
    EXPECT_EQ(memory.find("a", "1")->attempts, 7U);
    memory.remember("a", "2");
    memory.remember("a", "3");
    memory.find("a", "1");
    memory.remember("a", "4");
    EXPECT_EQ(memory.size(), 3U);
    EXPECT_EQ(memory.find("a", "2"), nullptr);
    EXPECT_NE(memory.find("a", "1"), nullptr);
    memory.forget("a", "1");
    EXPECT_EQ(memory.find("a", "1"), nullptr);
}

TEST(Eligibility, ResidencyHoldsForRegionAndPrefix) {
    EXPECT_TRUE(resides("any", "eu-west-1", "global.anthropic.x"));
    EXPECT_TRUE(resides("us", "us-east-1", "us.anthropic.x"));
    EXPECT_TRUE(resides("us", "us-east-1", "anthropic.x"));
    EXPECT_FALSE(resides("us", "us-east-1", "global.anthropic.x"));
    EXPECT_FALSE(resides("us", "us-gov-west-1", "anthropic.x"));
    EXPECT_TRUE(resides("us-gov", "us-gov-west-1", "us-gov.anthropic.x"));
    EXPECT_FALSE(resides("eu", "us-east-1", "eu.anthropic.x"));
    EXPECT_TRUE(resides("eu", "eu-central-1", "eu.anthropic.x"));
    EXPECT_FALSE(resides("jp", "ap-southeast-1", "anthropic.x"));
}

TEST(Eligibility, FamilyRegionBoundAndResidencyArePassedOverWithTheirReason) {
    Config config;
    config.models.add("anthropic.", {Family::anthropic, 5, 64'000, 200'000, false});
    config.models.add("amazon.nova", {Family::nova, 1, 5'000, 300'000, false});
    RouteConfig route;
    route.model = "us.anthropic.a";
    route.targets = {{"us-east-1", ""}, {"us-west-2", ""}, {"us-east-1", "us.amazon.nova-pro"}};
    config.routes = {route};
    const auto invoke = candidates(config, {"us.anthropic.a", "us-east-1", false, false});
    ASSERT_EQ(invoke.usable.size(), 2U);
    ASSERT_EQ(invoke.skipped.size(), 1U);
    EXPECT_STREQ(invoke.skipped[0].reason, "family");
    const auto bound = candidates(config, {"us.anthropic.a", "us-west-2", true, true});
    ASSERT_EQ(bound.usable.size(), 1U);
    EXPECT_EQ(bound.usable[0].target.region, "us-west-2");
    const auto converse = candidates(config, {"us.anthropic.a", "us-east-1", true, false});
    ASSERT_EQ(converse.usable.size(), 3U);
    EXPECT_TRUE(converse.usable[2].degraded);
    EXPECT_FALSE(converse.usable[1].degraded);
    const auto stray = candidates(config, {"x.y", "eu-west-1", true, false});
    ASSERT_EQ(stray.usable.size(), 1U);
    EXPECT_EQ(stray.usable[0].target.region, "eu-west-1");
}

struct Item {
    int key;
    std::uint32_t heap_pos = kNotInHeap;
};
struct ItemLess {
    bool operator()(const Item& a, const Item& b) const { return a.key < b.key; }
};

TEST(IndexedHeap, GivesTheLeastThroughAnyChange) {
    Random random(11);
    std::vector<Item> items(200);
    IndexedHeap<Item, ItemLess> heap;
    for (int step = 0; step < 5000; ++step) {
        Item& item = items[random.next() % items.size()];
        if (!heap.contains(&item)) {
            item.key = static_cast<int>(random.next() % 1000);
            heap.push(&item);
        } else if (random.next() % 2 == 0) {
            heap.erase(&item);
        } else {
            item.key = static_cast<int>(random.next() % 1000);
            heap.update(&item);
        }
        int least = 1000;
        for (const Item& i : items) {
            if (i.heap_pos != kNotInHeap) {
                least = std::min(least, i.key);
            }
        }
        ASSERT_EQ(heap.empty() ? 1000 : heap.top()->key, least);
    }
}

}  // namespace
}  // namespace weir::policy
