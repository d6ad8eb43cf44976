#include "net/timer_wheel.h"

#include "net/loop.h"
#include "unit/net/support.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

namespace weir::net::test {
namespace {

constexpr Duration kResolution = milliseconds(5);

/// What a timer must do, told without a wheel.
struct Modelled {
    Modelled(TimerWheel& wheel, const Instant& clock)
        : now(clock),
          timer(wheel, [](void* self) { static_cast<Modelled*>(self)->fired(); }, this) {}

    void fired() {
        ASSERT_TRUE(deadline.has_value()) << "fired without a deadline";
        EXPECT_GE(now, *deadline) << "fired early";
        deadline.reset();
        ++count;
        if (again > Duration::zero()) {
            set(now + again);
            again = Duration::zero();
        }
    }
    void set(Instant at) {
        deadline = at;
        due = std::max(at, now);
        timer.set(at);
    }
    void clear() {
        deadline.reset();
        timer.clear();
    }

    const Instant& now;
    std::optional<Instant> deadline;
    Instant due{};  // a deadline already past is due when it is set
    Duration again{0};
    int count = 0;
    Timer timer;
};

TEST(TimerWheel, RandomSchedulesAgainstAModel) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    const auto below = [&random](std::uint64_t n) { return random() % n; };
    for (int round = 0; round < 50; ++round) {
        Poller poller;
        TimerWheel wheel(poller);
        // Any clock: also one whose time is negative or far in the future.
        Instant now{Duration(static_cast<std::int64_t>(below(1ULL << 60)) - (1LL << 59))};
        std::vector<std::unique_ptr<Modelled>> timers;
        timers.reserve(40);
        for (int i = 0; i < 40; ++i) {
            timers.push_back(std::make_unique<Modelled>(wheel, now));
        }
        for (int step = 0; step < 400; ++step) {
            const std::size_t which = below(timers.size());
            Modelled& one = *timers[which];
            // Within a turn of the wheel, within some turns, and beyond them all.
            constexpr std::array<std::uint64_t, 6> kLongest{300'000'000,    300'000'000,
                                                            300'000'000,    6'000'000'000,
                                                            60'000'000'000, 600'000'000'000};
            const auto after =
                Duration(static_cast<std::int64_t>(below(kLongest[below(kLongest.size())])));
            switch (below(8)) {
                case 0:
                    one.clear();
                    break;
                case 1:
                    timers[which] = std::make_unique<Modelled>(wheel, now);
                    break;
                case 2:
                    one.again = after;
                    [[fallthrough]];
                case 3:
                case 4:
                    one.set(now + after);
                    break;
                case 5:
                    one.set(now - after);  // overdue from the start
                    break;
                default:
                    now += Duration(static_cast<std::int64_t>(below(below(64) == 0 ? 400'000'000'000
                                                                    : below(8) == 0 ? 20'000'000'000
                                                                                    : 40'000'000)));
                    wheel.advance(now);
                    for (const auto& timer : timers) {
                        ASSERT_EQ(timer->timer.armed(), timer->deadline.has_value());
                        if (timer->deadline) {
                            ASSERT_GT(timer->due + kResolution, now) << "late";
                        }
                    }
            }
        }
        now += seconds(601);
        wheel.advance(now);
        now += seconds(601);
        wheel.advance(now);
        for (const auto& timer : timers) {
            EXPECT_FALSE(timer->timer.armed());
        }
    }
}

TEST(TimerWheel, MovedDeadlinesFireOnceAtTheLast) {
    Poller poller;
    TimerWheel wheel(poller);
    Instant now{};
    wheel.advance(now);
    Modelled one(wheel, now);
    for (int i = 1; i <= 100; ++i) {
        one.set(now + seconds(10));
        now += milliseconds(100);
        wheel.advance(now);
    }
    EXPECT_EQ(one.count, 0);
    now += seconds(10);
    wheel.advance(now);
    EXPECT_EQ(one.count, 1);
}

TEST(TimerWheel, AFiringTimerMayDestroyAnother) {
    Poller poller;
    TimerWheel wheel(poller);
    std::unique_ptr<Timer> victim;
    int fired = 0;
    Timer killer(
        wheel, [](void* context) { static_cast<std::unique_ptr<Timer>*>(context)->reset(); },
        &victim);
    victim =
        std::make_unique<Timer>(wheel, [](void* count) { ++*static_cast<int*>(count); }, &fired);
    const Instant at{seconds(7)};
    victim->set(at);
    killer.set(at);  // the one set last stands first
    wheel.advance(at + seconds(1));
    EXPECT_EQ(fired, 0);
}

TEST(TimerWheel, DeadlinesFarAwayWakeNobody) {
    Loop loop(0);
    const auto run_for = [&loop](Duration longest) {  // how often it had something to do
        std::size_t wakes = 0;
        const auto until = std::chrono::steady_clock::now() + longest;
        while (std::chrono::steady_clock::now() < until) {
            wakes += loop.poll();
            std::this_thread::sleep_for(milliseconds(1));
        }
        return wakes;
    };
    const auto nothing = [](void*) {};
    Timer first(loop.wheel(), nothing, nullptr);  // sets the wheel going
    first.set_after(milliseconds(1));
    run_for(milliseconds(20));
    ASSERT_FALSE(first.armed());
    std::vector<std::unique_ptr<Timer>> timers;
    timers.reserve(1000);
    for (int i = 0; i < 1000; ++i) {
        timers.push_back(std::make_unique<Timer>(loop.wheel(), nothing, nullptr));
        timers.back()->set_after(seconds(300) + i * milliseconds(5));
    }
    // One wake belongs to the first deadline set, another to a turn that may begin just now.
    EXPECT_LE(run_for(milliseconds(300)), 3U);
}

TEST(TimerWheel, DrivesItselfOnALoop) {
    Loop loop(0);
    std::atomic<bool> done{false};
    const auto begun = std::chrono::steady_clock::now();
    const auto wait = [](Loop& on, std::atomic<bool>& flag) -> Task<void> {
        co_await on.sleep(milliseconds(3));
        co_await on.sleep(milliseconds(40));
        flag = true;
    };
    loop.spawn(wait(loop, done));
    loop.start();
    EXPECT_TRUE(eventually([&] { return done.load(); }));
    EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(43));
}

}  // namespace
}  // namespace weir::net::test
