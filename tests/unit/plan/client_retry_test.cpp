// How programs retry without weir, against what is known of their loops.
#include "plan/client_retry.h"
#include "plan/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace weir::plan {
namespace {

TEST(ArticleLoop, WaitsOneTwoFourEightAndOnlyForThrottling) {
    Random random(1);
    for (int attempt = 1; attempt <= 4; ++attempt) {
        const double delay =
            article_delay(attempt, CallError::throttled, random.uniform()).value_or(-1);
        EXPECT_GE(delay, std::exp2(attempt - 1));
        EXPECT_LE(delay, 1.1 * std::exp2(attempt - 1));
    }
    EXPECT_FALSE(article_delay(5, CallError::throttled, random.uniform()));
    EXPECT_FALSE(article_delay(1, CallError::transient, random.uniform()));
}

TEST(SdkRetry, ThreeAttemptsWithFullJitter) {
    Random random(1);
    double most_throttled = 0;
    double most_transient = 0;
    for (int i = 0; i < 300; ++i) {
        SdkRetry retry;
        most_throttled = std::max(
            most_throttled,
            retry.delay(2, CallError::throttled, std::nullopt, random.uniform()).value_or(99));
        most_transient = std::max(
            most_transient,
            retry.delay(1, CallError::transient, std::nullopt, random.uniform()).value_or(99));
        EXPECT_FALSE(retry.delay(3, CallError::throttled, std::nullopt, random.uniform()));
        EXPECT_FALSE(retry.delay(1, CallError::other, std::nullopt, random.uniform()));
    }
    EXPECT_GT(most_throttled, 1.8);
    EXPECT_LE(most_throttled, 2);
    EXPECT_GT(most_transient, 0.045);
    EXPECT_LE(most_transient, 0.05);
}

TEST(SdkRetry, TheBucketEndsRetriesAndSuccessRefillsIt) {
    Random random(1);
    SdkRetry retry;
    int retries = 0;
    while (retry.delay(1, CallError::transient, std::nullopt, random.uniform())) {
        ++retries;
    }
    EXPECT_EQ(retries, 500 / 14);
    retry.succeeded(CallError::transient);
    EXPECT_TRUE(retry.delay(1, CallError::transient, std::nullopt, random.uniform()));
    SdkRetry full;
    full.succeeded(std::nullopt);
    EXPECT_EQ(full.tokens(), 500);
}

TEST(SdkRetry, ObeysTheServerWithinFiveSeconds) {
    Random random(1);
    SdkRetry retry;
    const double obeyed = retry.delay(1, CallError::throttled, 3.0, random.uniform()).value_or(99);
    EXPECT_DOUBLE_EQ(obeyed, 3.0);
    const double clamped =
        retry.delay(1, CallError::throttled, 42.0, random.uniform()).value_or(99);
    EXPECT_GE(clamped, 5.0);
    EXPECT_LE(clamped, 6.0);
}

TEST(SdkRetry, ThrottlesByNameAndCountsBrokenConnections) {
    EXPECT_EQ(classify_for_sdk(429, "ThrottlingException"), CallError::throttled);
    EXPECT_EQ(classify_for_sdk(429, ""), CallError::other);
    EXPECT_EQ(classify_for_sdk(0, ""), CallError::transient);
    EXPECT_EQ(classify_for_sdk(503, "ServiceUnavailableException"), CallError::transient);
    EXPECT_EQ(classify_for_sdk(400, "ValidationException"), CallError::other);
    EXPECT_EQ(classify_for_sdk(529, ""), CallError::other);
}

TEST(AdaptiveRate, IsOffUntilTheFirstThrottle) {
    AdaptiveRate rate;
    for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(rate.take(i * 0.01));
        rate.answered(false, i * 0.01 + 0.005);
    }
    EXPECT_FALSE(rate.enabled());
}

TEST(AdaptiveRate, FallsToSevenTenthsAndGrowsAgain) {
    AdaptiveRate rate;
    // Ten answers a second, so that the measured rate settles there.
    double now = 0;
    for (int i = 0; i < 200; ++i) {
        now = i * 0.1;
        rate.answered(false, now);
    }
    rate.answered(true, now);
    ASSERT_TRUE(rate.enabled());
    EXPECT_NEAR(rate.rate(), 7, 0.5);
    // A second's worth may have gathered; beyond that, nobody gets through faster than the rate.
    int taken = 0;
    const double from = now;
    while (now < from + 2) {
        taken += rate.take(now) ? 1 : 0;
        now += 0.01;
    }
    EXPECT_NEAR(taken, 7 + 14, 2);
    EXPECT_FALSE(rate.take(now) && rate.take(now));
    const double ready = rate.ready(now);
    EXPECT_GT(ready, now);
    EXPECT_TRUE(rate.take(ready + 1e-6));
    // Answers without throttling bring the rate back, past where it failed, but never beyond twice
    // what is measured.
    for (int i = 0; i < 300; ++i) {
        now += 0.1;
        rate.answered(false, now);
    }
    EXPECT_GT(rate.rate(), 10);
    EXPECT_LE(rate.rate(), 21);
}

TEST(AdaptiveRate, NeverFallsBelowHalfACallASecond) {
    AdaptiveRate rate;
    for (int i = 0; i < 50; ++i) {
        rate.answered(true, i);
    }
    EXPECT_DOUBLE_EQ(rate.rate(), 0.5);
}

}  // namespace
}  // namespace weir::plan
