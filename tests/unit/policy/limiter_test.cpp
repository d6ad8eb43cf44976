#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "policy/quota_pool.h"
#include "policy/sliding_log.h"
#include "unit/given.h"

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

TEST(SlidingLog, ForgetsOneWindowAndSlackLaterNeverEarlier) {
    SlidingLog log(60s, 250ms);
    log.add(kStart + 50ms, 10);
    log.expire(kStart + 60s + 250ms);
    EXPECT_EQ(log.used(), 10U);
    log.expire(kStart + 60s + 350ms);
    EXPECT_EQ(log.used(), 0U);
}

TEST(SlidingLog, SaysWhenEnoughFrees) {
    SlidingLog log(60s, 250ms);
    log.add(kStart, 10);
    log.add(kStart + 7s, 5);
    EXPECT_EQ(log.frees(10), kStart + 60s + 350ms);
    EXPECT_EQ(log.frees(11), kStart + 67s + 350ms);
    EXPECT_EQ(log.frees(16), Instant::max());
    EXPECT_EQ(log.frees(0), Instant::min());
    log.expire(log.frees(10));
    EXPECT_EQ(log.used(), 5U);
}

TEST(SlidingLog, TakesBackOnlyWhatIsStillThere) {
    SlidingLog log(60s, 250ms);
    log.add(kStart, 10);
    EXPECT_TRUE(log.remove(kStart, 4));
    EXPECT_FALSE(log.remove(kStart, 7));
    EXPECT_EQ(log.used(), 6U);
    log.expire(kStart + 2min);
    EXPECT_FALSE(log.remove(kStart, 1));
    EXPECT_EQ(log.used(), 0U);
}

TEST(SlidingLog, KnowsWhatItKeepsForTheSlackAlone) {
    SlidingLog log(60s, 250ms);
    log.add(kStart, 70);
    log.add(kStart + 10s, 30);
    log.expire(kStart + 59s);
    EXPECT_EQ(log.ending(kStart + 59s), 0U);
    log.expire(kStart + 60s + 50ms);
    EXPECT_EQ(log.used(), 100U);
    EXPECT_EQ(log.ending(kStart + 60s + 50ms), 70U);
    log.expire(kStart + 61s);
    EXPECT_EQ(log.used(), 30U);
    EXPECT_EQ(log.ending(kStart + 61s), 0U);
}

TEST(SlidingLog, SurvivesJumpsAndTinyWindows) {
    SlidingLog log(60s, 250ms);
    log.add(kStart, 10);
    log.add(kStart + std::chrono::hours(10'000), 3);
    EXPECT_EQ(log.used(), 3U);
    SlidingLog tiny(1ms, 100ms);
    tiny.add(kStart, 1);
    tiny.expire(kStart + 100ms);
    EXPECT_EQ(tiny.used(), 1U);
    tiny.expire(kStart + 102ms);
    EXPECT_EQ(tiny.used(), 0U);
}

QuotaPool pool_of(std::uint64_t limit) {
    return QuotaPool(60s, Meter::Window::ours, {std::nullopt, limit, std::nullopt});
}

TEST(QuotaPool, HoldsBackWhatDoesNotFitWithHeadRoom) {
    QuotaPool pool = pool_of(1000);
    Reservation a = pool.hold(900);
    EXPECT_EQ(pool.blocked_by(95), LimitKind::none);
    EXPECT_EQ(pool.blocked_by(96), LimitKind::tokens);
    pool.give_back_all(a, kStart);
    EXPECT_EQ(pool.blocked_by(995), LimitKind::none);
    EXPECT_EQ(pool.outstanding(), 0U);
}

TEST(QuotaPool, SettlesOnTheOriginalStampAndSurplusNow) {
    QuotaPool pool = pool_of(1000);
    Reservation less = pool.hold(500);
    pool.sent(less, kStart);
    pool.settle(less, 100, kStart + 10s);
    EXPECT_EQ(pool.meter(LimitKind::tokens).used(), 100U);
    Reservation more = pool.hold(500);
    pool.sent(more, kStart);
    pool.settle(more, 700, kStart + 30s);
    EXPECT_EQ(pool.meter(LimitKind::tokens).used(), 800U);
    pool.tick(kStart + 61s);
    EXPECT_EQ(pool.meter(LimitKind::tokens).used(), 200U);
    pool.tick(kStart + 91s);
    EXPECT_EQ(pool.meter(LimitKind::tokens).used(), 0U);
}

TEST(QuotaPool, AnAnswerAfterItsEntryExpiredAddsItsSurplusAlone) {
    QuotaPool pool = pool_of(1000);
    Reservation r = pool.hold(500);
    pool.sent(r, kStart);
    pool.tick(kStart + 2min);
    pool.settle(r, 300, kStart + 2min);
    EXPECT_EQ(pool.meter(LimitKind::tokens).used(), 0U);
    Reservation s = pool.hold(500);
    pool.sent(s, kStart + 2min);
    pool.tick(kStart + 4min);
    pool.settle(s, 600, kStart + 4min);
    EXPECT_EQ(pool.meter(LimitKind::tokens).used(), 100U);
    EXPECT_EQ(pool.meter(LimitKind::tokens).reserved(), 0U);
}

TEST(QuotaPool, WhatIsNotSentYetDoesNotExpire) {
    QuotaPool pool = pool_of(1000);
    Reservation r = pool.hold(900);
    pool.tick(kStart + 1h);
    EXPECT_EQ(pool.blocked_by(200), LimitKind::tokens);
    pool.sent(r, kStart + 1h);
    pool.tick(kStart + 1h + 61s);
    EXPECT_EQ(pool.blocked_by(200), LimitKind::none);
    pool.keep(r, 0, kStart + 2h);
}

TEST(QuotaPool, ARefusedCallGivesBackTokensAndKeepsItsRequest) {
    QuotaPool pool(60s, Meter::Window::ours, {10, 1000, std::nullopt});
    Reservation r = pool.hold(900);
    pool.sent(r, kStart);
    pool.give_back_tokens(r, kStart + 1s);
    EXPECT_EQ(pool.meter(LimitKind::tokens).used(), 0U);
    EXPECT_EQ(pool.meter(LimitKind::requests).used(), 1U);
}

/// Asks for `tokens` at a service that holds `limit` for a sliding minute, answers at once and
/// settles at what was asked.
struct Service {
    std::uint64_t limit;
    std::vector<std::pair<Instant, std::uint64_t>> taken;

    bool takes(std::uint64_t tokens, Instant now) {
        std::uint64_t used = tokens;
        for (const auto& [at, amount] : taken) {
            used += now - at < 60s ? amount : 0;
        }
        if (used > limit) {
            return false;
        }
        taken.emplace_back(now, tokens);
        return true;
    }
};

/// One call a `step` for `time`, as far as the pool lets go; returns how many were refused.
int play(QuotaPool& pool, Service& service, Random& random, Instant& now, Duration time,
         Duration step, std::uint64_t tokens = 100) {
    int refused = 0;
    for (const Instant end = now + time; now < end; now += step) {
        pool.tick(now);
        if (pool.paused_until() > now || pool.blocked_by(tokens) != LimitKind::none) {
            continue;
        }
        Reservation r = pool.hold(tokens);
        pool.sent(r, now);
        if (service.takes(tokens, now)) {
            pool.accepted(r, now);
            pool.settle(r, tokens, now);
        } else {
            pool.refused(LimitKind::tokens, r, std::nullopt, random, now);
            ++refused;
        }
    }
    return refused;
}

TEST(QuotaPool, LearnsALimitThatNobodyTold) {
    QuotaPool pool(60s, Meter::Window::service, {});
    Random random(1);
    Instant now = kStart;
    Service service{10'000, {}};
    play(pool, service, random, now, 5min, 100ms);
    ASSERT_TRUE(pool.meter(LimitKind::tokens).learned());
    EXPECT_NEAR(static_cast<double>(*pool.meter(LimitKind::tokens).limit()), 10'000, 500);
    EXPECT_FALSE(pool.meter(LimitKind::requests).learned());
    // Once it is known a refusal is a rare probe's, and the quota is used.
    service.taken.clear();
    now += 2min;
    const std::size_t before = service.taken.size();
    EXPECT_LE(play(pool, service, random, now, 10min, 100ms), 12);
    EXPECT_GE(service.taken.size() - before, 950U);
}

TEST(QuotaPool, FindsALearnedLimitThatWasRaised) {
    QuotaPool pool(60s, Meter::Window::service, {});
    Random random(1);
    Instant now = kStart;
    Service service{10'000, {}};
    play(pool, service, random, now, 10min, 100ms);
    service.limit = 40'000;
    play(pool, service, random, now, 5min, 100ms);
    EXPECT_GE(*pool.meter(LimitKind::tokens).limit(), 35'000U);
}

TEST(QuotaPool, AStrayRefusalIsNoLimit) {
    for (const LimitKind kind : {LimitKind::tokens, LimitKind::requests}) {
        QuotaPool pool(60s, Meter::Window::service, {});
        Random random(1);
        Instant now = kStart;
        Service service{1'000'000, {}};
        play(pool, service, random, now, 2s, 1s);
        Reservation r = pool.hold(100);
        pool.sent(r, now);
        pool.refused(kind, r, std::nullopt, random, now);
        EXPECT_EQ(pool.blocked_by(100), LimitKind::none);
        EXPECT_LE(pool.paused_until(), now + 1300ms);
        EXPECT_EQ(play(pool, service, random, now, 1min, 400ms), 0);
        EXPECT_FALSE(pool.meter(kind).limit());
        EXPECT_GE(service.taken.size(), 140U);
    }
}

TEST(QuotaPool, ObeysTheServersWord) {
    QuotaPool pool(60s, Meter::Window::service, {});
    Random random(1);
    pool.tick(kStart);
    Reservation r = pool.hold(10);
    EXPECT_GE(pool.refused(LimitKind::tokens, r, 7s, random, kStart), kStart + 7s);
    EXPECT_EQ(pool.blocked_by(10), LimitKind::none);
    EXPECT_GT(pool.paused_until(), kStart + 7s);
    EXPECT_EQ(pool.outstanding(), 0U);
}

TEST(QuotaPool, MarginsAddUpAsTheRootOfTheSumOfSquares) {
    QuotaPool pool = pool_of(100'000);
    const Meter& meter = pool.meter(LimitKind::tokens);
    Reservation one = pool.hold(1000, 300);
    EXPECT_EQ(meter.used(), 1000U);
    Reservation other = pool.hold(1000, 400);
    EXPECT_EQ(meter.used(), 1800U);  // 700 + 600 + 500
    EXPECT_EQ(meter.reserved(), 2000U);
    pool.sent(one, kStart);
    pool.sent(other, kStart);
    EXPECT_EQ(meter.used(), 1800U);
    pool.settle(one, 650, kStart + 1s);
    EXPECT_EQ(meter.used(), 1650U);  // 650 + 600 + 400
    // A call that may have been served keeps all that it held.
    pool.keep(other, 0, kStart + 2s);
    EXPECT_EQ(meter.used(), 1650U);
    EXPECT_EQ(meter.reserved(), 0U);
    Reservation back = pool.hold(1000, 300);
    pool.give_back_all(back, kStart + 3s);
    EXPECT_EQ(meter.used(), 1650U);
}

TEST(QuotaPool, BacksOffWhereItSeesRoomAndLeavesItToOthers) {
    QuotaPool pool(60s, Meter::Window::service, {std::nullopt, 1000, std::nullopt});
    Random random(1);
    pool.tick(kStart - 50s);
    Reservation ours = pool.hold(300);
    pool.sent(ours, kStart - 50s);
    pool.keep(ours, 0, kStart - 50s);
    pool.tick(kStart);
    Reservation r = pool.hold(100);
    pool.sent(r, kStart);
    const Instant first = pool.refused(LimitKind::tokens, r, std::nullopt, random, kStart);
    EXPECT_GT(first, kStart + 100ms);
    // Somebody else uses at least what would have had to be free.
    EXPECT_GE(pool.meter(LimitKind::tokens).foreign(), 590U);
    EXPECT_EQ(pool.blocked_by(100), LimitKind::tokens);
    pool.tick(first);
    EXPECT_LE(pool.fits_at(100, first), first + 5s);
    // Less and less is left to them.
    pool.tick(kStart + 60s);
    EXPECT_LT(pool.meter(LimitKind::tokens).foreign(), 300U);
    EXPECT_EQ(pool.blocked_by(300), LimitKind::none);
}

/// A refusal far from the limit says nothing on the use of others: it is asked again soon.
TEST(QuotaPool, LeavesNothingToOthersAfterARefusalFarFromTheLimit) {
    QuotaPool pool(60s, Meter::Window::service, {std::nullopt, 1000, std::nullopt});
    Random random(1);
    pool.tick(kStart);
    Reservation r = pool.hold(100);
    pool.sent(r, kStart);
    EXPECT_LE(pool.refused(LimitKind::tokens, r, std::nullopt, random, kStart), kStart + 1300ms);
    EXPECT_EQ(pool.meter(LimitKind::tokens).foreign(), 0U);
    EXPECT_EQ(pool.blocked_by(800), LimitKind::none);
}

/// Near the limit the first refusal may be others' use; refused four times more it is not.
TEST(QuotaPool, TakesForeignUseBackInASpell) {
    QuotaPool pool(60s, Meter::Window::service, {std::nullopt, 1000, std::nullopt});
    Random random(1);
    Instant now = kStart;
    pool.tick(kStart - 50s);
    Reservation ours = pool.hold(400);
    pool.sent(ours, kStart - 50s);
    pool.keep(ours, 0, kStart - 50s);
    pool.tick(kStart);
    for (int i = 0; i < 5; ++i) {
        Reservation r = pool.hold(100);
        pool.sent(r, now);
        now = pool.refused(LimitKind::tokens, r, std::nullopt, random, now);
        pool.tick(now);
    }
    EXPECT_EQ(pool.meter(LimitKind::tokens).foreign(), 0U);
}

TEST(QuotaPool, SlackCompressesWithTheWindowButNotBelowTheNetwork) {
    EXPECT_EQ(QuotaPool::slack_for(60s), 250ms);
    EXPECT_EQ(QuotaPool::slack_for(30s), 125ms);
    EXPECT_EQ(QuotaPool::slack_for(6s), 100ms);
    EXPECT_EQ(QuotaPool::slack_for(10min), 250ms);
}

}  // namespace
}  // namespace weir::policy
