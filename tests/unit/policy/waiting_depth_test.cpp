// The order within a lane, what stands before whom, and how long the queue may get: without the
// engine.
#include "policy/waiting.h"

#include "unit/policy/waiting_world.h"

namespace weir::policy {
namespace {

// ---- the order within a lane

TEST_F(WaitingTest, AdaptiveLifoTurnsRoundOnceALaneHasStoodTooLong) {
    config.queue.order = "adaptive_lifo";
    quota(10'000);
    CallRecord& a = wait({.patience = 40s});
    now += 5s;
    CallRecord& b = wait({.patience = 40s});
    TargetState& t = target(a);
    EXPECT_EQ(Waiting::next(t)->lane->head, &a) << "a burst is served in order";
    now += 6s;
    CallRecord& c = wait({.patience = 40s});
    EXPECT_EQ(take(t), &c) << "not empty for a quarter of its patience";
    EXPECT_EQ(take(t), &a);
    EXPECT_EQ(take(t), &b);
}

TEST_F(WaitingTest, SmallFirstPutsALargeCallBackByAPartOfItsPatience) {
    config.queue.order = "small_first";
    quota(1'000'000);
    answers(10, 8, {.input = 10});  // 50 each
    CallRecord& large = wait({.input = 3'000, .patience = 20s});
    TargetState& t = target(large);
    now += 10s;
    CallRecord& small = wait({.max_output = 100, .patience = 20s});
    now += 15s;
    CallRecord& late = wait({.max_output = 100, .patience = 20s});
    EXPECT_EQ(take(t), &small);
    EXPECT_EQ(take(t), &large) << "passed over for a while, and not for ever";
    EXPECT_EQ(take(t), &late);
}

TEST_F(WaitingTest, TheLastOfALaneGivesWayToOneThatWouldPassIt) {
    config.queue.order = "adaptive_lifo";
    quota(10'000);
    wait({.max_output = 500, .patience = 40s});
    CallRecord& b = wait({.max_output = 500, .patience = 40s});
    Lane& lane = *b.queued.lane;
    CallRecord& early = call({.max_output = 100, .patience = 40s});
    EXPECT_EQ(waiting().last_behind(early, lane, now), nullptr) << "it would go last itself";
    now += 15s;
    CallRecord& larger = call({.max_output = 900, .patience = 40s});
    EXPECT_EQ(waiting().last_behind(larger, lane, now), nullptr) << "it takes more than it frees";
    CallRecord& newcomer = call({.max_output = 100, .patience = 40s});
    EXPECT_EQ(waiting().last_behind(newcomer, lane, now), &b);
}

TEST_F(WaitingTest, UnderFifoNobodyGivesWay) {
    quota(10'000);
    CallRecord& r = wait({.patience = 40s});
    now += 30s;
    EXPECT_EQ(waiting().last_behind(call(), *r.queued.lane, now), nullptr);
    EXPECT_FALSE(waiting().newest_first());
}

// ---- what stands before whom

TEST_F(WaitingTest, BeforeANewcomerStandMoreUrgentClassesAndItsOwnBacklog) {
    quota(10'000);
    wait({.client = "i", .max_output = 700, .priority = Priority::interactive});
    wait({.client = "b", .max_output = 5'000, .priority = Priority::batch});
    CallRecord& own = wait({.client = "a", .max_output = 300});
    wait({.client = "a", .max_output = 200});
    const Waiting::Ahead ahead = Waiting::before_newcomer(slot(own));
    EXPECT_DOUBLE_EQ(ahead.tokens, 700 + 500);
    EXPECT_DOUBLE_EQ(ahead.calls, 1 + 2);
    EXPECT_DOUBLE_EQ(Waiting::before_waiting(slot(own), 0.6).tokens, 700 + 300)
        << "the part of its own backlog that is in front of it";
}

TEST_F(WaitingTest, ALightClientIsBehindOthersOnlyUntilTheyReachItsCounter) {
    quota(10'000);
    TargetState& t = target(wait({.client = "heavy", .max_output = 1'000}));
    for (int i = 0; i < 9; ++i) {
        wait({.client = "heavy", .max_output = 1'000});
    }
    CallRecord& light = call({.client = "light", .max_output = 1'000});
    Lane& lane = *waiting().lane_for(light, now);
    EXPECT_DOUBLE_EQ(Waiting::before_newcomer(lane.slots[0]).tokens, 0);
    ASSERT_NE(take(t), nullptr);
    join(light);
    const double before = Waiting::before_waiting(slot(light), 1).tokens;
    EXPECT_NEAR(before, 2'000, 1) << "its own call and one of theirs, not their backlog";
}

TEST_F(WaitingTest, BeforeAHeadGoesAtMostOneCallOfEachOtherLane) {
    quota(10'000);
    for (int i = 0; i < 5; ++i) {
        wait({.client = "a", .max_output = 1'000});
    }
    CallRecord& b = wait({.client = "b", .max_output = 1'000});
    const Waiting::Ahead ahead = Waiting::before_head(slot(b));
    EXPECT_DOUBLE_EQ(ahead.calls, 2);
    EXPECT_DOUBLE_EQ(ahead.tokens, 2'000);
    EXPECT_DOUBLE_EQ(Waiting::before_head(*Waiting::next(target(b))).calls, 0);
}

TEST_F(WaitingTest, ABurstMayFillTheQueueAndAStandingOverloadIsHeldToTargetWait) {
    quota(10'000);
    CallRecord& r = wait({.max_output = 5'000});
    Lane& lane = *r.queued.lane;
    const Instant latest = now + 40s;
    EXPECT_FALSE(waiting().standing(flow(r), now));
    EXPECT_EQ(waiting().let_in_until(flow(r), latest, now), now + 36s);
    for (int i = 0; i < 60; ++i) {
        now += 3s;
        const CallRecord& refused = call({.max_output = 9'000});
        waiting().note_turned_away(refused, lane, now);
    }
    EXPECT_TRUE(waiting().standing(flow(r), now)) << "never clear, and full of debt";
    EXPECT_EQ(waiting().let_in_until(flow(r), now + 40s, now), now + config.queue.target_wait);
    CallRecord& light = wait({.client = "light"});
    EXPECT_FALSE(waiting().standing(flow(light), now)) << "it has no part in it";
    EXPECT_FALSE(waiting().overtaken(r, lane, now)) << "fifo lets nobody overtake";
}

// ---- how many

TEST_F(WaitingTest, TheQueueIsFullByCallsOrByBytes) {
    config.queue.max_waiting = 2;
    config.limits.max_buffered = 1'000;
    quota(10'000);
    CallRecord& r = call();
    r.asked.bytes = 600;
    EXPECT_EQ(waiting().full_for(r), Waiting::Full::no);
    join(r);
    EXPECT_EQ(waiting().full_for(r), Waiting::Full::bytes);
    CallRecord& small = call();
    EXPECT_EQ(waiting().full_for(small), Waiting::Full::no);
    join(small);
    EXPECT_EQ(waiting().full_for(small), Waiting::Full::calls);
    CallRecord& giant = call();
    giant.asked.bytes = 1'001;
    EXPECT_TRUE(waiting().never_fits(giant));
    EXPECT_FALSE(waiting().never_fits(r));
}

TEST_F(WaitingTest, RoomIsMadeByWhoHoldsMostForItsShareItsNewestLeastUrgentCall) {
    client("c").share = 4;
    quota(10'000);
    for (int i = 0; i < 3; ++i) {
        wait({.client = "a"});
    }
    CallRecord& newest = wait({.client = "a"});
    wait({.client = "a", .priority = Priority::interactive});
    for (int i = 0; i < 9; ++i) {
        wait({.client = "c"});
    }
    CallRecord& asks = call({.client = "b"});
    const auto clients = accounts().all_clients();
    EXPECT_EQ(Waiting::newest_of_largest(asks, Waiting::Full::calls, clients), &newest)
        << "9 of share 4 are fewer than 5 of share 1";
    EXPECT_EQ(Waiting::newest_of_largest(call({.client = "a"}), Waiting::Full::calls, clients),
              nullptr)
        << "it holds most itself";
    EXPECT_EQ(Waiting::newest_of_largest(asks, Waiting::Full::bytes, clients), nullptr);
}

}  // namespace
}  // namespace weir::policy
