#include "net/task.h"

#include "net/loop.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace weir::net {
namespace {

using std::chrono::milliseconds;

/// Tells when it goes: each local of an unwound coroutine must, once.
struct Local {
    explicit Local(int& alive) : count(alive) { ++count; }
    ~Local() { --count; }
    Local(const Local&) = delete;
    Local& operator=(const Local&) = delete;
    int& count;
};

Task<int> at_once(int value) {
    co_return value;
}

Task<int> after(Parked& parked, int value) {
    co_await parked.wait();
    co_return value;
}

Task<int> sum_of(int depth, Parked& parked) {
    if (depth == 0) {
        co_return co_await after(parked, 1);
    }
    const int below = co_await sum_of(depth - 1, parked);
    co_return below + 1;
}

Task<std::unique_ptr<std::string>> give_text() {
    auto text = std::make_unique<std::string>("moved, not copied");
    co_return std::move(text);
}

Task<void> fail_at(Parked* parked, int& alive) {
    const Local local(alive);
    if (parked != nullptr) {
        co_await parked->wait();
    }
    throw std::runtime_error("told");
}

TEST(Task, WhatEndsWithoutWaitingNeverLeavesItsCaller) {
    Loop loop(0);
    int got = 0;
    const auto caller = [](int& into) -> Task<void> {
        into = co_await at_once(7);
        const auto text = co_await give_text();
        EXPECT_EQ(*text, "moved, not copied");
        into += co_await at_once(1);
    };
    loop.spawn(caller(got));
    loop.poll();
    EXPECT_EQ(got, 8);
}

TEST(Task, ResumedAtTheBottomItEndsAtTheTop) {
    Loop loop(0);
    Parked parked(loop);
    int got = 0;
    const auto caller = [](Parked& at, int& into) -> Task<void> {
        into = co_await sum_of(1000, at);
    };
    loop.spawn(caller(parked, got));
    loop.poll();
    EXPECT_EQ(got, 0);
    ASSERT_TRUE(parked.waiting());
    parked.resume();
    EXPECT_EQ(got, 0);  // not inside the call
    loop.poll();
    EXPECT_EQ(got, 1001);
}

TEST(Task, ExceptionsComeOutOfTheAwait) {
    Loop loop(0);
    Parked parked(loop);
    int alive = 0;
    std::vector<std::string> caught;
    const auto caller = [](Parked& at, int& count, std::vector<std::string>& into) -> Task<void> {
        for (Parked* where : {static_cast<Parked*>(nullptr), &at}) {
            try {
                co_await fail_at(where, count);
            } catch (const std::runtime_error& error) {
                into.emplace_back(error.what());
            }
            EXPECT_EQ(count, 0);
        }
    };
    loop.spawn(caller(parked, alive, caught));
    loop.poll();
    EXPECT_EQ(caught.size(), 1U);
    parked.resume();
    loop.poll();
    EXPECT_EQ(caught, (std::vector<std::string>{"told", "told"}));
}

TEST(TaskDeathTest, AnExceptionThatNobodyWaitsForEndsTheProcess) {
    const auto fail = [] {
        Loop loop(0);
        int alive = 0;
        loop.spawn(fail_at(nullptr, alive));
        loop.poll();
    };
    EXPECT_DEATH(fail(), "ended with an exception: told");
}

TEST(Task, NeverAwaitedItRunsNothing) {
    int alive = 0;
    {
        const auto task = fail_at(nullptr, alive);
    }
    EXPECT_EQ(alive, 0);
}

TEST(Loop, WhatIsLeftIsUnwoundFromTheTop) {
    int alive = 0;
    {
        Loop loop(0);
        const auto inner = [](Loop& on, int& count) -> Task<void> {
            Parked parked(on);  // goes with its frame, while its coroutine waits in it
            const Local local(count);
            co_await parked.wait();
            ADD_FAILURE() << "resumed";
        };
        const auto outer = [&inner](Loop& on, int& count) -> Task<void> {
            const Local local(count);
            co_await inner(on, count);
            ADD_FAILURE() << "resumed";
        };
        for (int i = 0; i < 3; ++i) {
            loop.spawn(outer(loop, alive));
        }
        loop.poll();
        EXPECT_EQ(alive, 6);
    }
    EXPECT_EQ(alive, 0);
}

TEST(Loop, AParkedThatGoesTakesItsCoroutineWithIt) {
    Loop loop(0);
    int alive = 0;
    auto parked = std::make_unique<Parked>(loop);
    const auto waiting = [](Parked& at, int& count) -> Task<void> {
        const Local local(count);
        co_await at.wait();
        ADD_FAILURE() << "resumed";
    };
    loop.spawn(waiting(*parked, alive));
    loop.poll();
    EXPECT_EQ(alive, 1);
    parked.reset();
    loop.poll();
    EXPECT_EQ(alive, 0);
}

TEST(Loop, SoonLetsTheOthersOfTheTurnGoFirst) {
    Loop loop(0);
    std::vector<int> order;
    const auto step = [](Loop& on, std::vector<int>& into, int who) -> Task<void> {
        into.push_back(who);
        co_await on.soon();
        into.push_back(who + 10);
        co_await on.soon();
        into.push_back(who + 20);
    };
    for (int who = 0; who < 3; ++who) {
        loop.spawn(step(loop, order, who));
    }
    loop.poll();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 10, 11, 12, 20, 21, 22}));
}

TEST(Loop, PostsOfOtherThreadsComeInTheirOrder) {
    constexpr int kThreads = 4;
    constexpr int kEach = 5000;
    Loop loop(0);
    std::array<int, kThreads> next{};
    int wrong = 0;
    std::atomic<int> done{0};
    loop.start();
    {
        std::vector<std::jthread> threads;
        threads.reserve(kThreads);
        for (int t = 0; t < kThreads; ++t) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < kEach; ++i) {
                    loop.post([&, t, i] {
                        wrong += next[static_cast<std::size_t>(t)]++ == i ? 0 : 1;
                        done.fetch_add(1);
                    });
                }
            });
        }
    }
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (done.load() < kThreads * kEach && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(milliseconds(1));
    }
    loop.stop();
    loop.join();
    EXPECT_EQ(done.load(), kThreads * kEach);
    EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace weir::net
