// Failing calls and failing targets: which of the two the breaker goes by, and what the others
// feel.
#include "property/world.h"
#include "unit/policy/engine_world.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using test::Answer;
using test::Behaviour;
using test::World;

Answer failing(const Grant&) {
    return Answer::failed(FailureClass::server, 500);
}

class Poison : public ::testing::TestWithParam<int> {};

TEST_P(Poison, OneAlwaysFailingCallASecondIsNotFeltByAnother) {
    for (const Duration every : {Duration(1s), Duration(200ms), Duration(20ms)}) {
        World world(regions(GetParam()), 1);
        world.model = kSonnet;
        world.add({.name = "good", .every = 500ms});
        world.add({.name = "bad", .every = every, .answer = failing}, 100ms);
        world.run(300s);
        const test::Tally good = world.of("good");
        EXPECT_EQ(good.refused, 0U);
        EXPECT_EQ(good.late, 0U);
        EXPECT_GE(good.served + 1, good.offered);
        EXPECT_EQ(good.attempts, good.offered) << "never sent elsewhere, never repeated";
        for (const TargetStatus& t : world.status().targets) {
            EXPECT_EQ(t.breaker, BreakerState::closed) << t.region;
        }
    }
}

TEST_P(Poison, AQuietClientFindsTheTargetsOpenToItBesideAFloodOfFailures) {
    World world(regions(GetParam()), 2);
    world.model = kSonnet;
    world.add({.name = "good", .every = 7s});
    world.add({.name = "bad", .every = 100ms, .answer = failing});
    world.run(600s);
    EXPECT_EQ(world.of("good").refused, 0U);
    EXPECT_EQ(world.of("good").late, 0U);
}

TEST_P(Poison, CallsWithoutAClientsNameDoNotTakeEachOtherAway) {
    World world(regions(GetParam()), 3);
    world.model = kSonnet;
    world.add({.name = "", .every = 500ms});
    world.add({.name = "", .every = 1s, .answer = failing}, 250ms);
    world.run(120s);
    const test::Tally all = world.of("");
    EXPECT_GE(all.served + 2, 240U);
}

INSTANTIATE_TEST_SUITE_P(Regions, Poison, ::testing::Values(1, 2));

Answer dead_east(const Grant& g) {
    return g.target->region == "us-east-1" ? Answer::failed(FailureClass::network, 0) : Answer{};
}

TEST(DeadRegion, OpensTheBreakerQuicklyWhoeverCalls) {
    struct Row {
        const char* what;
        std::vector<std::pair<std::string, Duration>> clients;
    };
    const Row rows[] = {
        {"one client", {{"a", 100ms}}},
        {"nobody in particular", {{"", 100ms}}},
        {"a heavy and a light one", {{"a", 50ms}, {"b", 4s}}},
        {"many", {{"a", 300ms}, {"b", 300ms}, {"c", 300ms}, {"d", 300ms}, {"e", 300ms}}},
    };
    for (const Row& row : rows) {
        World world(regions(2), 4);
        world.model = kSonnet;
        bool dead = false;
        const auto answer = [&dead](const Grant& g) { return dead ? dead_east(g) : Answer{}; };
        for (const auto& [name, every] : row.clients) {
            world.add({.name = name, .every = every, .answer = answer});
        }
        world.run(60s);
        dead = true;
        std::uint64_t attempts = 0;
        std::uint64_t offered = 0;
        for (const auto& [name, every] : row.clients) {
            attempts -= world.of(name).attempts;
            offered -= world.of(name).offered;
        }
        world.run(300s);
        for (const auto& [name, every] : row.clients) {
            attempts += world.of(name).attempts;
            offered += world.of(name).offered;
            EXPECT_EQ(world.of(name).refused, 0U) << row.what;
        }
        EXPECT_LE(static_cast<double>(attempts), 1.05 * static_cast<double>(offered)) << row.what;
    }
}

TEST(DeadRegion, AllOfThemDeadOpensAllBreakers) {
    World world(regions(2), 5);
    world.model = kSonnet;
    bool dead = false;
    const auto answer = [&dead](const Grant&) {
        return dead ? Answer::failed(FailureClass::network, 0) : Answer{};
    };
    for (const char* name : {"a", "b", "c"}) {
        world.add({.name = name, .every = 300ms, .answer = answer});
    }
    world.run(30s);
    dead = true;
    world.run(4s);
    for (const TargetStatus& t : world.status().targets) {
        EXPECT_NE(t.breaker, BreakerState::closed) << t.region;
    }
    dead = false;
    world.run(120s);
    for (const TargetStatus& t : world.status().targets) {
        EXPECT_EQ(t.breaker, BreakerState::closed) << t.region;
    }
}

TEST(DeadRegion, StreamsThatBreakAfterContentCountToo) {
    World world(regions(2), 6);
    world.model = kSonnet;
    const auto breaks = [](const Grant& g) {
        Answer a;
        if (g.target->region == "us-east-1") {
            a = Answer::failed(FailureClass::broken, 0);
            a.begins = true;
            a.failure->stage = Stage::begun;
        }
        return a;
    };
    for (const char* name : {"a", "b"}) {
        world.add({.name = name, .every = 200ms, .answer = breaks});
    }
    world.run(5s);
    EXPECT_NE(world.status().targets[0].breaker, BreakerState::closed);
    EXPECT_EQ(world.status().targets[1].breaker, BreakerState::closed);
}

TEST(DeadRegion, ASilentTargetCountsBeforeItsDeadline) {
    World world(regions(2), 7);
    world.model = kSonnet;
    bool silent = false;
    const auto answer = [&silent](const Grant& g) {
        Answer a;
        if (silent && g.target->region == "us-east-1") {
            a = Answer::failed(FailureClass::timeout, 0);
            a.after = 300s;  // first_event
        }
        return a;
    };
    world.add(
        {.name = "a", .every = 200ms, .shape = [](Call& c) { c.stream = true; }, .answer = answer});
    world.run(30s);
    silent = true;
    world.run(19s);
    EXPECT_EQ(world.status().targets[0].breaker, BreakerState::closed);
    world.run(4s);
    EXPECT_EQ(world.status().targets[0].breaker, BreakerState::open);
}

TEST(DeadRegion, WhatOneClientsCallsOpenedIsNotOpenToAnother) {
    World world(regions(1), 8);
    world.model = kSonnet;
    world.add({.name = "bad", .every = 100ms, .answer = failing});
    world.run(60s);
    EXPECT_NE(world.status().targets[0].breaker, BreakerState::closed);
    world.add({.name = "good", .every = 15s});  // too rare to be heard of otherwise
    world.run(600s);
    const test::Tally good = world.of("good");
    EXPECT_EQ(good.refused, 0U);
    EXPECT_EQ(good.late, 0U);
    EXPECT_EQ(good.attempts, good.offered);
}

}  // namespace
}  // namespace weir
