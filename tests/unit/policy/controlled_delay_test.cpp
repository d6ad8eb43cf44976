#include "policy/controlled_delay.h"

#include <gtest/gtest.h>

#include "policy/served_part.h"

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

constexpr Instant at(Duration since) {
    return Instant{} + 1h + since;
}
constexpr Duration kInterval = 120s;
constexpr Duration kEnough = 45s;

TEST(ControlledDelay, AQueueThatIsFullWithoutRefusalsIsABurst) {
    ControlledDelay delay(at(0s));
    delay.filled(at(1s));
    EXPECT_FALSE(delay.standing(kInterval, kEnough, at(10min)));
}

TEST(ControlledDelay, StandingTakesBothTheTimeAndTheRefusals) {
    ControlledDelay delay(at(0s));
    delay.filled(at(0s));
    delay.refused(60s, kEnough, at(50s));
    EXPECT_EQ(delay.debt(at(50s)), kEnough) << "debt grows to its most";
    EXPECT_FALSE(delay.standing(kInterval, kEnough, at(119s)));
    EXPECT_TRUE(delay.standing(kInterval, kEnough, at(120s)));

    ControlledDelay lighter(at(0s));
    lighter.filled(at(0s));
    lighter.refused(44s, kEnough, at(50s));
    EXPECT_FALSE(lighter.standing(kInterval, kEnough, at(10min)));
    lighter.refused(1s, kEnough, at(10min));
    EXPECT_TRUE(lighter.standing(kInterval, kEnough, at(10min)));
}

TEST(ControlledDelay, AnEmptyQueueWorksItsDebtOffBeforeTheOverloadEnds) {
    ControlledDelay delay(at(0s));
    delay.filled(at(0s));
    delay.refused(kEnough, kEnough, at(60s));
    EXPECT_TRUE(delay.standing(kInterval, kEnough, at(130s)));
    delay.emptied(at(130s));
    EXPECT_TRUE(delay.standing(kInterval, kEnough, at(140s)));
    EXPECT_EQ(delay.debt(at(140s)), 35s);
    delay.filled(at(150s));
    EXPECT_EQ(delay.debt(at(200s)), 25s) << "a queue with calls works nothing off";
    delay.emptied(at(200s));
    EXPECT_TRUE(delay.standing(kInterval, kEnough, at(224s)));
    EXPECT_FALSE(delay.standing(kInterval, kEnough, at(225s)));
}

TEST(ControlledDelay, ABurstAfterTheOverloadMayFillTheQueueAgain) {
    ControlledDelay delay(at(0s));
    delay.filled(at(0s));
    delay.refused(kEnough, kEnough, at(60s));
    EXPECT_TRUE(delay.standing(kInterval, kEnough, at(120s)));
    delay.emptied(at(120s));
    delay.filled(at(200s));
    delay.refused(kEnough, kEnough, at(210s));
    EXPECT_FALSE(delay.standing(kInterval, kEnough, at(284s)));
    EXPECT_TRUE(delay.standing(kInterval, kEnough, at(320s)));
}

TEST(ControlledDelay, WithoutAThresholdTimeAloneDecides) {
    ControlledDelay delay(at(0s));
    delay.filled(at(5s));
    EXPECT_FALSE(delay.standing(20s, 0s, at(24s)));
    EXPECT_TRUE(delay.standing(20s, 0s, at(25s)));
    delay.emptied(at(26s));
    EXPECT_FALSE(delay.standing(20s, 0s, at(26s)));
}

TEST(ControlledDelay, WhatIsToldTwiceCountsOnce) {
    ControlledDelay delay(at(0s));
    delay.filled(at(1s));
    delay.filled(at(2s));
    delay.refused(10s, 45s, at(2s));
    delay.emptied(at(3s));
    delay.emptied(at(7s));
    EXPECT_EQ(delay.debt(at(7s)), 6s);
    delay.emptied(at(8s));
    EXPECT_EQ(delay.debt(at(9s)), 4s);
}

TEST(ServedPart, BelievesTheSharesUntilItHasSeenEnough) {
    ServedPart part;
    part.filled(1000);
    EXPECT_DOUBLE_EQ(part.part(1000, 0.5, 100, 1e9), 0.5);
    // 900 go to others, 100 here.
    part.served(100, false);
    EXPECT_NEAR(part.part(2000, 0.5, 100, 1e9), 150.0 / 1100, 1e-9);
}

TEST(ServedPart, WhatIsGrantedWhileNothingWaitsDoesNotCount) {
    ServedPart part;
    part.filled(0);
    part.served(100, true);
    part.emptied(0);
    part.filled(5000);
    EXPECT_DOUBLE_EQ(part.part(5000, 1, 1, 1e9), 1);
}

TEST(ServedPart, Forgets) {
    ServedPart part;
    part.filled(0);
    EXPECT_LT(part.part(10'000, 1, 10, 100), 0.2);
    part.served(200, false);
    EXPECT_GT(part.part(10'200, 1, 10, 100), 0.6);
}

}  // namespace
}  // namespace weir::policy
