#include "net/body_pace.h"

#include "net/log_limit.h"

#include <gtest/gtest.h>

namespace weir::net::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kHeadTimeout = seconds(10);

/// How long a body is borne that sends `bytes` every `every`; an hour at most.
Duration borne(BodyPace& pace, Instant now, std::size_t bytes, Duration every) {
    const Instant begun = now;
    while (now - begun < std::chrono::hours(1)) {
        const Duration left = pace.left(kHeadTimeout, now);
        if (left < every) {
            return now + left - begun;
        }
        now += every;
        pace.received(bytes);
    }
    return now - begun;
}

TEST(BodyPace, ASteadyBodyMayTakeItsTime) {
    BodyPace pace;
    EXPECT_GE(borne(pace, Instant(), 1000, seconds(1)), minutes(5));
    BodyPace quick;
    EXPECT_GE(borne(quick, Instant(), 16384, milliseconds(100)), minutes(5));
}

TEST(BodyPace, ATrickleIsGivenUp) {
    BodyPace pace;
    EXPECT_LE(borne(pace, Instant(), 1, seconds(1)), seconds(11));
    BodyPace slow;
    EXPECT_LE(borne(slow, Instant(), 500, seconds(1)), seconds(21));
}

TEST(BodyPace, AQuickStartBuysNoStall) {
    Instant now{};
    BodyPace pace;
    EXPECT_EQ(pace.left(kHeadTimeout, now), kHeadTimeout);
    pace.received(31UL << 20);
    now += milliseconds(1);
    EXPECT_LE(pace.left(kHeadTimeout, now), kHeadTimeout);
    EXPECT_LE(pace.left(kHeadTimeout, now + seconds(10)), milliseconds(1));
}

TEST(BodyPace, WhoHoldsMuchMustSendMore) {
    Instant now{};
    BodyPace pace;
    pace.left(kHeadTimeout, now);
    pace.received(30'000'000);  // from here on it takes 100,000 bytes a second
    EXPECT_LE(borne(pace, now, 50'000, seconds(1)), seconds(25));
    BodyPace keeps_up;
    keeps_up.left(kHeadTimeout, now);
    keeps_up.received(30'000'000);
    EXPECT_GE(borne(keeps_up, now, 120'000, seconds(1)), seconds(30));
}

TEST(BodyPace, ARestartForgets) {
    BodyPace pace;
    pace.left(kHeadTimeout, Instant());
    pace.restart();
    EXPECT_EQ(pace.left(kHeadTimeout, Instant() + minutes(1)), kHeadTimeout);
}

TEST(LogLimit, OneASecondAndACount) {
    Instant now{};
    LogLimit limit;
    EXPECT_EQ(limit.admit(now), 0U);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_FALSE(limit.admit(now += std::chrono::microseconds(900)));
    }
    EXPECT_EQ(limit.admit(now += milliseconds(100)), 1000U);
    EXPECT_EQ(limit.admit(now += seconds(5)), 0U);
}

}  // namespace
}  // namespace weir::net::test
