// A loop that hangs is noticed, and one that does not is no alarm.

#include "net/heartbeat.h"

#include "net/loop.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <latch>

namespace weir::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Heartbeat, OneLoopThatHangsIsEnough) {
    Loop first(0);
    Loop second(1);
    const std::array<Loop*, 2> loops{&first, &second};
    first.start();
    second.start();
    EXPECT_TRUE(all_turn(loops, seconds(30)));
    std::latch released(1);
    second.post([&] { released.wait(); });
    EXPECT_FALSE(all_turn(loops, milliseconds(20)));
    EXPECT_FALSE(all_turn(loops, milliseconds(20)));
    released.count_down();
    EXPECT_TRUE(all_turn(loops, seconds(30)));
    for (Loop* loop : loops) {
        loop->stop();
        loop->join();
    }
    EXPECT_FALSE(all_turn(loops, milliseconds(1)));  // and what they hold is given back
}

}  // namespace
}  // namespace weir::net
