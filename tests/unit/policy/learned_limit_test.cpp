#include "policy/learned_limit.h"

#include <gtest/gtest.h>

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

class LearnedLimitTest : public ::testing::Test {
protected:
    LearnedLimit limit{LimitKind::tokens, 60s};
    Instant now = Instant{} + 1000s;
};

TEST_F(LearnedLimitTest, OneRefusalIsNoLimit) {
    limit.accepted(5000, 100, now);
    limit.refused(5100, true, now);
    EXPECT_FALSE(limit.limit());
    limit.refused(5000, false, now);  // on its way at the same time, or the same refusal repeated
    EXPECT_FALSE(limit.limit());
}

TEST_F(LearnedLimitTest, RefusalsThatAgreeAreALimit) {
    limit.accepted(5000, 100, now);
    limit.refused(5100, true, now);
    limit.accepted(4900, 100, now + 2s);
    limit.refused(5050, true, now + 3s);
    EXPECT_EQ(limit.limit(), 5050U);
}

TEST_F(LearnedLimitTest, RefusalsAtOtherUsesDoNotAgree) {
    limit.refused(5000, true, now);
    limit.refused(9000, true, now + 3s);
    EXPECT_FALSE(limit.limit());
    limit.refused(9100, true, now + 6s);
    EXPECT_EQ(limit.limit(), 9000U);
}

TEST_F(LearnedLimitTest, AsMuchAcceptedSoonAfterwardsTakesARefusalBack) {
    limit.refused(5000, true, now);
    limit.accepted(5200, 100, now + 2s);
    limit.refused(5000, true, now + 30s);
    EXPECT_FALSE(limit.limit());
}

TEST_F(LearnedLimitTest, NeverBelowWhatWasAcceptedInAnHour) {
    limit.accepted(50'000, 100, now);
    now += 50min;
    limit.refused(5000, true, now);
    limit.refused(5000, true, now + 10s);
    EXPECT_NEAR(static_cast<double>(*limit.limit()), 50'000, 1000);
    // With the hour its peak goes; the next refusal halves.
    now += 20min;
    limit.refused(5000, true, now);
    EXPECT_NEAR(static_cast<double>(*limit.limit()), 25'000, 500);
    limit.refused(5000, true, now + 10s);
    limit.refused(5000, true, now + 20s);
    limit.refused(5000, true, now + 30s);
    EXPECT_LE(limit.limit(), 5000U);
}

TEST_F(LearnedLimitTest, NeverBelowTheFloor) {
    limit.accepted(1000, 1000, now);
    limit.refused(1100, true, now);
    limit.refused(1100, true, now + 10s);
    EXPECT_EQ(limit.limit(), 2000U);  // two of the largest
    LearnedLimit requests(LimitKind::requests, 60s);
    requests.accepted(2, 1, now);
    requests.refused(3, true, now);
    requests.refused(3, true, now + 10s);
    EXPECT_EQ(requests.limit(), 60U);
}

TEST_F(LearnedLimitTest, GrowsWithWhatIsAcceptedBeyondIt) {
    limit.refused(5000, true, now);
    limit.refused(5000, true, now + 10s);
    limit.accepted(8000, 100, now + 20s);
    EXPECT_GE(*limit.limit(), 7800U);
}

TEST_F(LearnedLimitTest, WhatWasAcceptedFromOthersHoldsItUp) {
    limit.hear_peak(50'000);
    limit.adopt(50'000, now);
    limit.refused(50'000, true, now + 10s);
    EXPECT_NEAR(static_cast<double>(*limit.limit()), 49'250, 10);
    limit.adopt(30'000, now);  // told by one that does not know of that
    EXPECT_NEAR(static_cast<double>(*limit.limit()), 49'250, 10);
}

TEST_F(LearnedLimitTest, ThatOfOthersIsForgottenWhenTheirsIs) {
    limit.adopt(50'000, now - 50min);
    limit.tick(now + 9min);
    EXPECT_TRUE(limit.limit());
    limit.tick(now + 11min);
    EXPECT_FALSE(limit.limit());
}

TEST_F(LearnedLimitTest, WhatIsNewIsToldOnce) {
    limit.accepted(5000, 100, now);
    limit.accepted(4000, 100, now);
    limit.refused(5000, true, now);  // there is no limit yet that this could confirm
    EXPECT_FALSE(limit.take_news().refused);
    limit.refused(5000, true, now + 10s);
    limit.accepted(4500, 100, now + 20s);
    limit.refused(5000, true, now + 30s);
    const LearnedLimit::News news = limit.take_news();
    EXPECT_EQ(news.peak, 4500U);
    EXPECT_TRUE(news.refused);
    EXPECT_FALSE(limit.take_news().refused);
}

TEST_F(LearnedLimitTest, IsForgottenAfterAnHourWithoutARefusal) {
    limit.refused(5000, true, now);
    limit.refused(5000, true, now + 10s);
    limit.tick(now + 59min);
    EXPECT_TRUE(limit.limit());
    limit.tick(now + 61min);
    EXPECT_FALSE(limit.limit());
}

}  // namespace
}  // namespace weir::policy
