#include "gateway/periodic_thread.h"

#include <gtest/gtest.h>

#include <chrono>
#include <semaphore>
#include <vector>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;

TEST(PeriodicThread, CallsAtTheStartWhenNudgedAndAfterThePause) {
    std::counting_semaphore<> called{0};
    std::vector<bool> nudges;  // read after the thread's end
    {
        PeriodicThread thread([&](bool nudged) {
            nudges.push_back(nudged);
            called.release();
            return nudges.size() == 2 ? Duration(1ms) : Duration(1h);
        });
        called.acquire();
        thread.nudge();
        called.acquire();
        called.acquire();  // after a millisecond, without a nudge
    }
    EXPECT_EQ(nudges, (std::vector<bool>{false, true, false}));
}

TEST(PeriodicThread, EndsWithoutAnotherCall) {
    std::binary_semaphore begun{0};
    std::binary_semaphore stopped{0};
    int calls = 0;
    {
        PeriodicThread thread([&](bool) {
            ++calls;
            begun.release();
            stopped.acquire();
            return Duration(0);
        });
        begun.acquire();
        EXPECT_FALSE(thread.stopping());
        thread.stop();
        thread.nudge();
        EXPECT_TRUE(thread.stopping());
        stopped.release();
    }
    EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace weir::gateway
