// GET /requests: which requests are listed, in which order, and how many at most.
#include "observe/recent.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace weir::observe {
namespace {

/// A request that waited in one Region and was answered in another.
struct Told {
    explicit Told(std::string name, std::int64_t unix_ms = 1'000) : id(std::move(name)) {
        life.id = id;
        life.unix_ms = unix_ms;
        life.ended = 3'000'000;
        life.client = "app";
        life.operation = "Converse";
        life.model = "claude";
        life.home_region = "us-east-1";
        life.outcome = "ok";
        life.status = 200;
        WaitStep wait;
        wait.to = 1'500'000;
        wait.region = "us-east-1";
        wait.model = "claude";
        trail.add(wait);
        AttemptStep attempt;
        attempt.from = 1'500'000;
        attempt.to = 3'000'000;
        attempt.account = "prod";
        attempt.region = "us-west-2";
        attempt.model = "claude-small";
        trail.add(attempt);
    }
    std::string packed() {
        life.steps = trail.packed();
        std::string out;
        pack(out, life);
        return out;
    }
    std::string id;
    Life life;
    Trail trail;
};

bool listed(const RecentQuery& query) {
    return in_brief(Told("a").packed(), query).has_value();
}

TEST(Recent, TellsARequestInBrief) {
    const auto one = in_brief(Told("a").packed(), {});
    ASSERT_TRUE(one);
    EXPECT_EQ(one->id, "a");
    EXPECT_EQ(one->queued, 1'500'000);
    EXPECT_EQ(one->attempts, 1U);
    EXPECT_EQ(one->account, "prod");
    EXPECT_EQ(one->region, "us-west-2");
    EXPECT_EQ(one->target_model, "claude-small");
    EXPECT_FALSE(in_brief("no life", {}));
}

TEST(Recent, AskedForByEachOfItsParts) {
    EXPECT_TRUE(listed({.client = "app"}));
    EXPECT_FALSE(listed({.client = "ap"}));
    EXPECT_FALSE(listed({.client = "none"}));
    EXPECT_TRUE(listed({.region = "us-west-2"}));
    EXPECT_TRUE(listed({.region = "us-east-1"})) << "it waited there";
    EXPECT_FALSE(listed({.region = "eu-west-1"}));
    EXPECT_TRUE(listed({.account = "prod"}));
    EXPECT_FALSE(listed({.account = "dev", .region = "us-west-2"}));
    EXPECT_TRUE(listed({.model = "claude"}));
    EXPECT_TRUE(listed({.model = "arn:aws:bedrock:us-west-2:1:inference-profile/claude-small"}));
    EXPECT_FALSE(listed({.model = "nova"}));
    EXPECT_FALSE(listed({.region = "us-east-1", .model = "claude-small"}));
    EXPECT_TRUE(listed({.outcome = "ok"}));
    EXPECT_FALSE(listed({.outcome = "throttled"}));
    EXPECT_TRUE(listed({.outcome = "all"}));
    EXPECT_FALSE(listed({.outcome = "under_way"}));
    Told nameless("a");
    nameless.life.client = "";
    nameless.life.ended = kNever;
    EXPECT_TRUE(in_brief(nameless.packed(), {.client = "none", .outcome = "under_way"}));
}

TEST(Recent, WhatWasNeverSentIsAtHome) {
    Told told("a");
    told.trail = {};
    EXPECT_TRUE(in_brief(told.packed(), {.region = "us-east-1"}));
    EXPECT_FALSE(in_brief(told.packed(), {.region = "us-west-2"}));
}

std::vector<std::string> ids(const RecentRequests& requests) {
    std::vector<std::string> out;
    const auto json = nlohmann::json::parse(requests.json());
    for (const auto& one : json["requests"]) {
        out.push_back(one["id"]);
    }
    return out;
}

TEST(Recent, TheNewestOfAllWorkersComeFirst) {
    Lives one(1 << 20, 100);
    Lives other(1 << 20, 100);
    for (int i = 0; i < 6; ++i) {
        Told told("r" + std::to_string(i), i);
        const std::string packed = told.packed();
        (i % 2 == 0 ? one : other).remember(*unpack(packed), i != 5);
    }
    RecentRequests eventful({.limit = 3});
    eventful.add(one);
    eventful.add(other);
    EXPECT_EQ(ids(eventful), (std::vector<std::string>{"r4", "r3", "r2"}));
    RecentRequests all({.outcome = "all", .limit = 2});
    all.add(one);
    all.add(other);
    EXPECT_EQ(ids(all), (std::vector<std::string>{"r5", "r4"}));
    RecentRequests none({.client = "nobody"});
    none.add(one);
    const auto json = nlohmann::json::parse(none.json());
    EXPECT_EQ(json["requests"].size(), 0U);
    EXPECT_EQ(json["complete"], true);
    EXPECT_EQ(json["looked_at"], 3);
}

TEST(Recent, AWorkerIsNotHeldUpForLong) {
    Lives lives(8 << 20, 20'000);
    for (std::size_t i = 0; i < RecentQuery::kMostSeen + 100; ++i) {
        Told told("r" + std::to_string(i));
        const std::string packed = told.packed();
        lives.remember(*unpack(packed), true);
    }
    RecentRequests none({.client = "nobody"});
    none.add(lives);
    const auto json = nlohmann::json::parse(none.json());
    EXPECT_EQ(json["looked_at"], RecentQuery::kMostSeen);
    EXPECT_EQ(json["complete"], false);
}

TEST(Recent, AFloodOfTroubleHidesNoGoodRequest) {
    Lives lives(8 << 20, 20'000);
    Told good("good");
    lives.remember(*unpack(good.packed()), false);
    for (std::size_t i = 0; i < RecentQuery::kMostSeen + 100; ++i) {
        Told told("r" + std::to_string(i));
        told.life.outcome = "throttled";
        const std::string packed = told.packed();
        lives.remember(*unpack(packed), true);
    }
    RecentRequests ok({.outcome = "ok"});
    ok.add(lives);
    EXPECT_EQ(ids(ok), (std::vector<std::string>{"good"}));
}

TEST(Recent, AWaitThatLastsCountsUntilNow) {
    Told told("a");
    told.trail = {};
    WaitStep wait;
    wait.from = 500;
    wait.to = kNever;
    wait.region = "us-east-1";
    told.trail.add(wait);
    told.life.ended = kNever;
    told.life.so_far = 5'000'500;
    const auto one = in_brief(told.packed(), {.outcome = "under_way"});
    ASSERT_TRUE(one);
    EXPECT_EQ(one->queued, 5'000'000);
}

}  // namespace
}  // namespace weir::observe
