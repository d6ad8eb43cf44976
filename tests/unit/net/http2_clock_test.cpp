#include "net/http2_clock.h"

#include "net/loop.h"
#include "unit/net/support.h"

#include <gtest/gtest.h>

namespace weir::net::test {
namespace {

constexpr Duration kHead = seconds(10);
constexpr Duration kIdle = seconds(60);

/// A connection's limits on a wheel whose time is the test's.
struct Http2Clocks : ::testing::Test {
    /// Whether a limit passes within `duration` from now.
    bool passes_within(Duration duration) {
        fired = false;
        loop.wheel().advance(std::chrono::steady_clock::now() + duration);
        return fired;
    }
    static void fire(void* flag) { *static_cast<bool*>(flag) = true; }

    Loop loop{0};
    bool fired = false;
    Http2Clock clock{loop.wheel(), fire, &fired};
    Http2Drain drain{loop.wheel(), fire, &fired};
};

TEST_F(Http2Clocks, SettingsComeFirst) {
    clock.count(false, kHead, kIdle);
    EXPECT_EQ(clock.expired().code, std::uint32_t{NGHTTP2_SETTINGS_TIMEOUT});
    EXPECT_FALSE(passes_within(kHead / 2));
    EXPECT_TRUE(passes_within(kHead + seconds(1)));
}

TEST_F(Http2Clocks, ThenAHeadThatHasBegunThenIdleness) {
    clock.greeted();
    clock.head_begins();
    clock.count(false, kHead, kIdle);
    EXPECT_EQ(clock.expired().code, std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
    clock.head_ends();
    clock.count(true, kHead, kIdle);
    EXPECT_FALSE(passes_within(2 * kIdle)) << "a request is under way";
    clock.count(false, kHead, kIdle);
    EXPECT_EQ(clock.expired().code, std::uint32_t{NGHTTP2_NO_ERROR});
    EXPECT_TRUE(passes_within(4 * kIdle));
}

TEST_F(Http2Clocks, AHeadIsLimitedBesideRequestsUnderWay) {
    clock.greeted();
    clock.count(true, kHead, kIdle);
    clock.head_begins();
    clock.count(true, kHead, kIdle);
    EXPECT_TRUE(passes_within(kHead + seconds(1)));
}

TEST_F(Http2Clocks, CountingAgainDoesNotStartALimitAnew) {
    clock.greeted();
    clock.count(false, kHead, kIdle);
    clock.count(false, kHead, 100 * kIdle);
    EXPECT_TRUE(passes_within(kIdle + seconds(1)));
}

TEST_F(Http2Clocks, AStoppedClockTellsNothing) {
    clock.count(false, kHead, kIdle);
    clock.stop();
    EXPECT_FALSE(passes_within(10 * kIdle));
}

TEST_F(Http2Clocks, ADrainIsAnnouncedThenConcludedOnce) {
    EXPECT_FALSE(drain.announced());
    EXPECT_TRUE(drain.announce());
    EXPECT_FALSE(drain.announce());
    EXPECT_TRUE(drain.announced());
    EXPECT_TRUE(passes_within(seconds(2))) << "a client that does not answer";
    EXPECT_TRUE(drain.conclude());
    EXPECT_FALSE(drain.conclude());
    EXPECT_FALSE(passes_within(seconds(10)));
}

}  // namespace
}  // namespace weir::net::test
