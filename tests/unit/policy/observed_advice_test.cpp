#include <gtest/gtest.h>

#include "policy/observed_advice.h"

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

Status status_of(std::uint64_t requests, std::uint64_t tokens, double usable = 1,
                 double max_tokens = 0, std::uint64_t enough = 0) {
    TargetStatus target;
    target.region = "r";
    target.model = "m";
    target.limits.push_back({LimitKind::requests, requests, 0, 0, false});
    target.limits.push_back({LimitKind::tokens, tokens, 0, 0, false});
    target.usable_share = usable;
    target.mean_max_tokens = max_tokens;
    target.enough_max_tokens = enough;
    Status status;
    status.targets.push_back(target);
    return status;
}

ObservedDemand demand_of(std::uint64_t requests, std::uint64_t tokens) {
    ObservedDemand demand;
    demand.model = "m";
    demand.calls = 1000;
    demand.peak_requests = requests;
    demand.peak_tokens = tokens;
    return demand;
}

TEST(ObservedAdvice, ASmallQuotaIsToBeRaised) {
    const auto advice = conclude(demand_of(150, 300'000), status_of(100, 200'000));
    EXPECT_EQ(advice.raise_requests_to, 180U);    // 150 x 1.14 = 171
    EXPECT_EQ(advice.raise_tokens_to, 350'000U);  // 342,000
    EXPECT_FALSE(advice.lower_max_tokens_to);
    EXPECT_NE(advice.text.find("Raise requests_per_minute from 100 to 180."), std::string::npos);
    EXPECT_NE(advice.text.find("Raise tokens_per_minute from 200,000 to 350,000."),
              std::string::npos)
        << advice.text;
}

TEST(ObservedAdvice, WhatMaxTokensHoldsInVainIsToBeLowered) {
    // Half is usable with 4,096; with 600 the part in vain is 600/4096 of what it was.
    const auto advice = conclude(demand_of(10, 100'000), status_of(100, 200'000, 0.5, 4096, 600));
    EXPECT_EQ(advice.lower_max_tokens_to, 600U);
    EXPECT_FALSE(advice.raise_tokens_to);
    EXPECT_NE(advice.text.find("Lower max_tokens from 4,096 (in the mean) to 600"),
              std::string::npos)
        << advice.text;
    EXPECT_NE(advice.text.find("50 % of the token quota usable, and then 87 %"), std::string::npos)
        << advice.text;
    // Where answers need it, the quota has to bear it.
    const auto needed = conclude(demand_of(10, 150'000), status_of(100, 200'000, 0.5, 4096, 5000));
    EXPECT_FALSE(needed.lower_max_tokens_to);
    EXPECT_EQ(needed.raise_tokens_to, 350'000U);
    EXPECT_NE(needed.text.find("while 50 % are usable"), std::string::npos) << needed.text;
}

TEST(ObservedAdvice, RoomIsSaidToBeThere) {
    const auto advice = conclude(demand_of(10, 50'000), status_of(100, 200'000));
    EXPECT_FALSE(advice.raise_requests_to || advice.raise_tokens_to || advice.lower_max_tokens_to);
    EXPECT_NE(advice.text.find("has room: its busiest minute used 25 %"), std::string::npos)
        << advice.text;
}

TEST(ObservedAdvice, WithoutAQuotaItAsksForOneOnlyIfTheServiceRefused) {
    ObservedDemand demand = demand_of(10, 50'000);
    EXPECT_NE(conclude(demand, status_of(0, 0)).text.find("nothing to change"), std::string::npos);
    demand.throttled = 7;
    EXPECT_NE(conclude(demand, Status{}).text.find("throttled 7 of them"), std::string::npos);
}

TEST(ObservedAdvice, RegionsAddUp) {
    Status status = status_of(100, 200'000);
    status.targets.push_back(status.targets.front());
    EXPECT_FALSE(conclude(demand_of(150, 300'000), status).raise_tokens_to);
}

TEST(PeakDemand, IsThatOfAnyWindow) {
    PeakDemand peak;
    const Instant start = Instant{} + 1000s;
    for (int i = 0; i < 100; ++i) {
        peak.call(start + i * 1s, 60s);
        peak.settled(start + i * 1s, 60s, 10);
    }
    EXPECT_GE(peak.requests(), 55U);
    EXPECT_LE(peak.requests(), 60U);
    EXPECT_EQ(peak.tokens(), 10 * peak.requests());
    peak.call(start + 500s, 60s);
    EXPECT_LE(peak.requests(), 60U);
}

TEST(ObservedAdvice, OnlyTheModelsOwnTargetsAndKnownLimitsCount) {
    Status status = status_of(100, 0);
    status.targets[0].limits.push_back({LimitKind::daily_tokens, 7, 0, 0, false});
    status.targets.push_back(status.targets[0]);
    status.targets[1].model = "other";
    const auto advice = conclude(demand_of(50, 100'000), status);
    EXPECT_FALSE(advice.raise_requests_to);
    EXPECT_FALSE(advice.raise_tokens_to) << "no limit of tokens is known";
    EXPECT_NE(advice.text.find("its busiest minute used 50 % of it."), std::string::npos)
        << advice.text;
    const auto by_tokens = conclude(demand_of(50, 100'000), status_of(0, 200'000));
    EXPECT_NE(by_tokens.text.find("its busiest minute used 50 % of it."), std::string::npos)
        << by_tokens.text;
}

TEST(ObservedAdvice, ABurstThatWouldHaveWaitedIsTold) {
    ObservedDemand demand = demand_of(50, 100'000);
    demand.would_wait = 3;
    demand.would_refuse = 2;
    EXPECT_NE(conclude(demand, status_of(100, 200'000))
                  .text.find("; 3 calls of a burst would have waited and 2 been refused."),
              std::string::npos);
    // What is usable enough is left alone.
    EXPECT_FALSE(conclude(demand, status_of(100, 200'000, 0.95, 4096, 600)).lower_max_tokens_to);
}

TEST(ObservedAdvice, NoQuotaIsConfigured) {
    ObservedDemand demand = demand_of(50, 100'000);
    EXPECT_NE(conclude(demand, Status()).text.find("nothing to change"), std::string::npos);
    demand.throttled = 4;
    EXPECT_NE(conclude(demand, Status()).text.find("The service throttled 4 of them"),
              std::string::npos);
}

TEST(PeakDemand, AClockThatGoesBackCountsWhatItKnows) {
    PeakDemand peak;
    const Instant start = Instant{} + 1000s;
    peak.call(start + 60s, 60s);
    peak.call(start + 55s, 60s);
    EXPECT_GE(peak.requests(), 1U);
    EXPECT_LE(peak.requests(), 2U);
}

}  // namespace
}  // namespace weir::policy
