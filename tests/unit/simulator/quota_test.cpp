// What a call costs while it runs and when it has ended.
#include "simulator/quota.h"

#include "unit/given.h"

#include <gtest/gtest.h>

namespace weir::simulator {
namespace {

using namespace std::chrono_literals;

ModelSettings limits(std::optional<std::uint64_t> requests, std::optional<std::uint64_t> tokens) {
    ModelSettings settings;
    settings.requests_per_minute = requests;
    settings.tokens_per_minute = tokens;
    settings.output_burndown = 5;
    return settings;
}

TEST(Quota, HoldsInputAndMaxTokensUnmultipliedAndPaysOutputTimesBurndown) {
    Quota quota(limits({}, 10'000), WindowKind::sliding, 60s, 0s, kStart);
    Quota::Ticket ticket;
    ASSERT_EQ(quota.start(1'000, 4'000, kStart, ticket), Verdict::accepted);
    EXPECT_EQ(quota.used_tokens(kStart), 5'000U);
    const TokenUse use{.input = 600, .output = 200, .cache_read = 300, .cache_write = 100};
    quota.settle(ticket, use, kStart + 2s);
    EXPECT_EQ(quota.used_tokens(kStart + 2s), 600U + 100U + 1'000U);
}

TEST(Quota, AnAnswerMayCostMoreThanItHeld) {
    Quota quota(limits({}, 10'000), WindowKind::sliding, 60s, 0s, kStart);
    Quota::Ticket ticket;
    ASSERT_EQ(quota.start(100, 1'000, kStart, ticket), Verdict::accepted);
    quota.settle(ticket, {.input = 100, .output = 1'000, .cache_read = 0, .cache_write = 0},
                 kStart + 10s);
    EXPECT_EQ(quota.used_tokens(kStart + 10s), 5'100U);
    EXPECT_EQ(quota.used_tokens(kStart + 60s), 4'000U) << "only the surplus is younger";
}

TEST(Quota, ARefusedCallLeavesNoTokensBehindButCountsAsARequest) {
    Quota quota(limits(3, 1'000), WindowKind::sliding, 60s, 0s, kStart);
    Quota::Ticket ticket;
    EXPECT_EQ(quota.start(1'001, 0, kStart, ticket), Verdict::tokens);
    EXPECT_FALSE(ticket.tokens);
    EXPECT_EQ(quota.used_tokens(kStart), 0U);
    EXPECT_EQ(quota.used_requests(kStart), 1U);
    EXPECT_EQ(quota.start(10, 0, kStart, ticket), Verdict::accepted);
    EXPECT_EQ(quota.start(10, 0, kStart, ticket), Verdict::accepted);
    EXPECT_EQ(quota.start(10, 0, kStart, ticket), Verdict::requests);
    EXPECT_EQ(quota.used_requests(kStart), 4U);
}

TEST(Quota, RefusedCallsNeedNotCount) {
    ModelSettings settings = limits(2, 1'000);
    settings.refused_count = false;
    Quota quota(settings, WindowKind::sliding, 60s, 0s, kStart);
    Quota::Ticket ticket;
    EXPECT_EQ(quota.start(1'001, 0, kStart, ticket), Verdict::tokens);
    EXPECT_EQ(quota.used_requests(kStart), 0U);
}

TEST(Quota, TheDayIsTwentyFourHoursWhateverTheWindow) {
    ModelSettings settings = limits({}, {});
    settings.tokens_per_day = 1'000;
    Quota quota(settings, WindowKind::fixed, 6s, 0s, kStart);
    Quota::Ticket ticket;
    ASSERT_EQ(quota.start(1'000, 0, kStart, ticket), Verdict::accepted);
    EXPECT_EQ(quota.start(1, 0, kStart + 23h, ticket), Verdict::daily);
    EXPECT_EQ(quota.start(1, 0, kStart + 24h, ticket), Verdict::accepted);
}

TEST(Quota, WithoutLimitsEverythingGoes) {
    Quota quota(limits({}, {}), WindowKind::bucket, 60s, 0s, kStart);
    for (int i = 0; i < 1'000; ++i) {
        Quota::Ticket ticket;
        ASSERT_EQ(quota.start(1'000'000, 64'000, kStart, ticket), Verdict::accepted);
    }
}

}  // namespace
}  // namespace weir::simulator
