// The three window shapes against models that keep everything and add it up each time.
#include "simulator/window.h"

#include "simulator/random.h"
#include "unit/given.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace weir::simulator {
namespace {

using namespace std::chrono_literals;

constexpr Duration kMinute = 60s;

std::uint64_t test_seed() {
    const char* text = std::getenv("WEIR_SEED");
    return text ? std::strtoull(text, nullptr, 10) : std::random_device{}();
}

TEST(Window, SlidingCountsEachChargeForOneWindowFromItsOwnTime) {
    Window window(WindowKind::sliding, 100, kMinute, 0s, kStart);
    window.charge(60, kStart);
    window.charge(40, kStart + 30s);
    EXPECT_FALSE(window.fits(1, kStart + 60s - 1ns));
    EXPECT_TRUE(window.fits(60, kStart + 60s));
    EXPECT_FALSE(window.fits(61, kStart + 60s));
    EXPECT_EQ(window.used(kStart + 90s), 0U);
}

TEST(Window, FixedStartsAfreshAtItsPhase) {
    // 1000 s is 40 s into a minute; the phase of 10 s puts a boundary at 1030 s.
    Window window(WindowKind::fixed, 100, kMinute, 10s, kStart);
    window.charge(100, kStart);
    EXPECT_FALSE(window.fits(1, kStart + 30s - 1ns));
    EXPECT_TRUE(window.fits(100, kStart + 30s));
}

TEST(Window, FixedDoesNotRefundIntoALaterMinute) {
    Window window(WindowKind::fixed, 100, kMinute, 10s, kStart);
    const auto early = window.charge(100, kStart);
    window.charge(50, kStart + 31s);
    window.settle(early, 10, kStart + 32s);
    EXPECT_EQ(window.used(kStart + 32s), 50U);
}

TEST(Window, BucketRefillsEvenlyAndHoldsOneWindow) {
    Window window(WindowKind::bucket, 60, kMinute, 0s, kStart);
    EXPECT_TRUE(window.fits(60, kStart));
    window.charge(60, kStart);
    EXPECT_FALSE(window.fits(2, kStart + 1s));
    EXPECT_TRUE(window.fits(30, kStart + 30s));
    EXPECT_FALSE(window.fits(31, kStart + 30s));
    EXPECT_FALSE(window.fits(61, kStart + 600s));
}

TEST(Window, ShortBucketHoldsASixthAndRefillsAsFast) {
    Window window(WindowKind::short_bucket, 60, kMinute, 0s, kStart);
    EXPECT_FALSE(window.fits(11, kStart));
    EXPECT_TRUE(window.fits(10, kStart));
    window.charge(10, kStart);
    EXPECT_EQ(window.used(kStart), 10U);
    EXPECT_FALSE(window.fits(6, kStart + 5s));
    EXPECT_TRUE(window.fits(5, kStart + 5s));
    EXPECT_FALSE(window.fits(11, kStart + 60s));
}

TEST(Window, ASurplusCountsFromTheTimeItIsKnown) {
    Window window(WindowKind::sliding, 100, kMinute, 0s, kStart);
    const auto charge = window.charge(10, kStart);
    window.settle(charge, 35, kStart + 59s);
    EXPECT_EQ(window.used(kStart + 59s), 35U);
    EXPECT_EQ(window.used(kStart + 60s), 25U);
    EXPECT_EQ(window.used(kStart + 119s), 0U);
}

TEST(Window, LargerThanTheLimitNeverFits) {
    for (const auto kind : {WindowKind::sliding, WindowKind::fixed, WindowKind::bucket}) {
        Window window(kind, 100, kMinute, 0s, kStart);
        EXPECT_TRUE(window.fits(100, kStart));
        EXPECT_FALSE(window.fits(101, kStart));
        EXPECT_FALSE(window.fits(~0ULL, kStart));
    }
}

TEST(Window, RefusedRequestsLeaveAnEmptyBucketAtZero) {
    Window window(WindowKind::bucket, 60, kMinute, 0s, kStart);
    window.charge(60, kStart);
    for (int i = 0; i < 100; ++i) {
        window.charge_refused(kStart);
    }
    EXPECT_TRUE(window.fits(1, kStart + 1s));
    Window log(WindowKind::sliding, 1, kMinute, 0s, kStart);
    log.charge(1, kStart);
    log.charge_refused(kStart + 30s);
    EXPECT_FALSE(log.fits(1, kStart + 61s));
}

/// Sliding: sum of what lies in (now - window, now].
std::uint64_t brute_sliding(const std::vector<std::pair<Instant, std::uint64_t>>& all,
                            Instant now) {
    std::uint64_t sum = 0;
    for (const auto& [at, amount] : all) {
        sum += at + kMinute > now ? amount : 0;
    }
    return sum;
}

/// Fixed: sum of what shares the minute of `now`.
std::uint64_t brute_fixed(const std::vector<std::pair<Instant, std::uint64_t>>& all, Duration phase,
                          Instant now) {
    const auto minute = [&](Instant at) { return (at.time_since_epoch() - phase) / kMinute; };
    std::uint64_t sum = 0;
    for (const auto& [at, amount] : all) {
        sum += minute(at) == minute(now) ? amount : 0;
    }
    return sum;
}

TEST(Window, AgreesWithAddingEverythingUp) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
    Random random(seed);
    for (int round = 0; round < 20; ++round) {
        const Duration phase = from_seconds(random.uniform() * 60);
        Window sliding(WindowKind::sliding, 1000, kMinute, phase, kStart);
        Window fixed(WindowKind::fixed, 1000, kMinute, phase, kStart);
        std::vector<std::pair<Instant, std::uint64_t>> slid;
        std::vector<std::pair<Instant, std::uint64_t>> minutes;
        struct Open {
            Window::Charge sliding, fixed;
            std::size_t index;
        };
        std::vector<Open> open;
        Instant now = kStart;
        for (int step = 0; step < 400; ++step) {
            now += from_seconds(random.exponential(2));
            if (!open.empty() && random.uniform() < 0.4) {
                const std::size_t pick = random.below(open.size());
                const Open settled = open[pick];
                open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
                const std::uint64_t actual = random.below(200);
                sliding.settle(settled.sliding, actual, now);
                fixed.settle(settled.fixed, actual, now);
                auto& s = slid[settled.index];
                auto& f = minutes[settled.index];
                if (actual > s.second) {
                    const std::uint64_t surplus = actual - s.second;
                    slid.emplace_back(now, surplus);
                    minutes.emplace_back(now, surplus);
                } else {
                    s.second = actual;
                    f.second = actual;
                }
            } else {
                const std::uint64_t amount = 1 + random.below(150);
                const bool fits_brute = brute_sliding(slid, now) + amount <= 1000;
                ASSERT_EQ(sliding.fits(amount, now), fits_brute);
                ASSERT_EQ(fixed.fits(amount, now),
                          brute_fixed(minutes, phase, now) + amount <= 1000);
                open.push_back(
                    {sliding.charge(amount, now), fixed.charge(amount, now), slid.size()});
                slid.emplace_back(now, amount);
                minutes.emplace_back(now, amount);
            }
            ASSERT_EQ(sliding.used(now), brute_sliding(slid, now));
            ASSERT_EQ(fixed.used(now), brute_fixed(minutes, phase, now));
        }
    }
}

/// A bucket that admits only what fits can never give more than a burst and the refill since.
TEST(Window, BucketNeverGivesMoreThanBurstAndRefill) {
    const std::uint64_t seed = test_seed();
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
    Random random(seed);
    Window bucket(WindowKind::bucket, 600, kMinute, 0s, kStart);
    double level = 600;
    Instant now = kStart;
    for (int step = 0; step < 5000; ++step) {
        const Duration pause = from_seconds(random.exponential(1));
        now += pause;
        level = std::min(600.0, level + to_seconds(pause) * 10);
        const std::uint64_t amount = 1 + random.below(40);
        const bool fits = bucket.fits(amount, now);
        if (std::abs(static_cast<double>(amount) - level) > 1) {
            ASSERT_EQ(fits, static_cast<double>(amount) <= level);
        }
        if (fits) {
            bucket.charge(amount, now);
            level -= static_cast<double>(amount);
            ASSERT_GE(level, -1);
        }
    }
}

}  // namespace
}  // namespace weir::simulator
