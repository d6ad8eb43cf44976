#include "shared/health.h"

#include <gtest/gtest.h>

namespace weir::shared {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class HealthTest : public testing::Test {
protected:
    /// How long until the next probe, as a multiple of the delay without jitter.
    void expect_delay(Duration delay) const {
        const Duration left = health.next_probe() - now;
        EXPECT_GE(left, delay * 3 / 4);
        EXPECT_LE(left, delay * 5 / 4);
    }
    StoreFailure late() const { return {StoreError::timeout, "late", false}; }

    Instant now{seconds(1000)};
    Health health{now, 7};
};

TEST_F(HealthTest, BeginsDownAndIsProbedAtOnce) {
    EXPECT_FALSE(health.up());
    EXPECT_EQ(health.why().text, "not connected yet");
    EXPECT_LE(health.next_probe(), now);
}

TEST_F(HealthTest, ProbesComeAtTwiceTheDistanceUpToTwoSeconds) {
    for (const int ms : {100, 200, 400, 800, 1600, 2000, 2000}) {
        health.probe_failed(now, late());
        expect_delay(milliseconds(ms));
        now = health.next_probe();
    }
    EXPECT_EQ(health.why(), late());
    health.answered(now, false);
    EXPECT_TRUE(health.up());
}

TEST_F(HealthTest, CallsThatFailOneAfterTheOtherCountOnce) {
    health.answered(now, true);
    for (int i = 0; i < 5; ++i) {
        health.failed(now + milliseconds(i), late());
    }
    expect_delay(milliseconds(100));
    EXPECT_EQ(health.why(), late());
}

TEST_F(HealthTest, AScriptsAnswerResetsTheDelay) {
    for (int i = 0; i < 4; ++i) {
        health.probe_failed(now, late());
    }
    health.answered(now, false);
    EXPECT_FALSE(health.proven(now));
    health.answered(now, true);
    EXPECT_TRUE(health.proven(now));
    health.failed(now, late());
    expect_delay(milliseconds(100));
}

// A full server, or a replica: it answers each PING and refuses each call.
TEST_F(HealthTest, AProbesAnswerAloneDoesNot) {
    health.answered(now, true);
    for (const int ms : {100, 200, 400, 800, 1600, 2000, 2000}) {
        health.failed(now, {StoreError::memory, "OOM", false});
        expect_delay(milliseconds(ms));
        now = health.next_probe();
        health.answered(now, false);
        now += milliseconds(10);
    }
}

TEST_F(HealthTest, TwoSecondsWithoutAFailureDo) {
    for (int i = 0; i < 4; ++i) {
        health.probe_failed(now, late());
    }
    health.answered(now, false);
    now += seconds(2);
    EXPECT_TRUE(health.proven(now));
    health.failed(now, late());
    expect_delay(milliseconds(100));
}

TEST_F(HealthTest, JitterTellsInstancesApart) {
    Health other(now, 8);
    health.probe_failed(now, late());
    other.probe_failed(now, late());
    EXPECT_NE(health.next_probe(), other.next_probe());
}

}  // namespace
}  // namespace weir::shared
