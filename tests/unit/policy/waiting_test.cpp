// Who waits, and who is next: without the engine.
#include "policy/waiting.h"

#include "unit/policy/waiting_world.h"

namespace weir::policy {
namespace {

// ---- lanes

TEST_F(WaitingTest, AClientsCallsOfOneClassGoInTheOrderTheyCame) {
    quota(10'000);
    CallRecord& a = wait({});
    CallRecord& b = wait({});
    CallRecord& c = wait({});
    TargetState& t = target(a);
    EXPECT_EQ(take(t), &a);
    EXPECT_EQ(take(t), &b);
    EXPECT_EQ(take(t), &c);
    EXPECT_EQ(take(t), nullptr);
}

TEST_F(WaitingTest, ACallThatTheServiceRefusedGoesBackToTheHead) {
    quota(10'000);
    CallRecord& a = wait({});
    CallRecord& b = wait({});
    TargetState& t = target(a);
    ASSERT_EQ(take(t), &a);
    now += 5s;
    join(a, true);
    EXPECT_EQ(take(t), &a);
    EXPECT_EQ(take(t), &b);
    EXPECT_EQ(a.waited, 1ms) << "what it waited in all";
}

TEST_F(WaitingTest, ACallThatFailedWaitsInALaneOfItsOwn) {
    quota(10'000);
    two_regions();
    CallRecord& a = wait({});
    CallRecord& failed = call();
    failed.history = std::make_unique<History>();
    failed.history->at(&target(failed)).barred = true;
    eligible_at = [&](std::size_t i) { return i == 0 ? Instant::max() : now; };
    join(failed);
    EXPECT_NE(failed.queued.lane, a.queued.lane);
    EXPECT_EQ(queue(target(a, 0)).heads.size(), 1U) << "barred here";
    EXPECT_EQ(queue(target(a, 1)).heads.size(), 2U);
    leave(failed);
    EXPECT_EQ(failed.queued.own_lane, nullptr) << "and takes it along";
    EXPECT_EQ(queue(target(a, 1)).heads.size(), 1U);
}

TEST_F(WaitingTest, CountsAreThoseOfWhatWaits) {
    quota(10'000);
    two_regions();
    CallRecord& a = wait({.max_output = 300});
    CallRecord& b = wait({.max_output = 100});
    a.asked.bytes = b.asked.bytes = 0;
    TargetState& east = target(a, 0);
    TargetState& west = target(a, 1);
    EXPECT_EQ(waiting().calls(), 2U);
    EXPECT_EQ(a.path->waiting[static_cast<std::size_t>(Priority::standard)], 2U);
    EXPECT_EQ(a.client->queue.waiting, 2U);
    EXPECT_DOUBLE_EQ(a.client->queue.backlog, 400);
    for (TargetState* t : {&east, &west}) {
        EXPECT_DOUBLE_EQ(queue(*t).backlog, 200) << "a call for two targets is half of each one's";
        EXPECT_DOUBLE_EQ(queue(*t).backlog_calls, 1);
        EXPECT_EQ(queue(*t).waiting, 2U);
        EXPECT_DOUBLE_EQ(queue(*t).active_shares, 1);
    }
    leave(a);
    EXPECT_DOUBLE_EQ(a.client->queue.backlog, 100);
    leave(b);
    EXPECT_EQ(waiting().calls(), 0U);
    EXPECT_EQ(b.client->queue.backlog, 0);
    EXPECT_EQ(queue(east).backlog, 0);
    EXPECT_EQ(queue(east).backlog_calls, 0);
    EXPECT_EQ(queue(east).active_shares, 0);
    EXPECT_TRUE(queue(east).heads.empty());
}

TEST_F(WaitingTest, BytesAreCountedWhileTheyWait) {
    quota(10'000);
    CallRecord& r = call();
    r.asked.bytes = 700;
    join(r);
    EXPECT_EQ(waiting().bytes(), 700U);
    EXPECT_EQ(r.client->queue.waiting_bytes, 700U);
    leave(r);
    EXPECT_EQ(waiting().bytes(), 0U);
    EXPECT_EQ(r.client->queue.waiting_bytes, 0U);
}

TEST_F(WaitingTest, AHeadIsPlacedWhereItMayGoAndLookedAtWhenThatChanges) {
    quota(10'000);
    two_regions();
    CallRecord& r = call();
    eligible_at = [&](std::size_t i) { return i == 0 ? now : r.arrival + 500ms; };
    join(r);
    EXPECT_EQ(Waiting::next(target(r, 0)), &slot(r, 0));
    EXPECT_EQ(Waiting::next(target(r, 1)), nullptr);
    EXPECT_EQ(agenda.next(), r.arrival + 500ms);
    EXPECT_EQ(agenda.take_dirty(), &target(r, 0));
    EXPECT_EQ(agenda.take_dirty(), nullptr);
    now += 500ms;
    place(*r.queued.lane);
    EXPECT_EQ(Waiting::next(target(r, 1)), &slot(r, 1));
    EXPECT_EQ(agenda.next(), r.arrival + Waiting::kReviewEvery);
    waiting().set_aside(slot(r, 0), now + 100ms);
    EXPECT_EQ(Waiting::next(target(r, 0)), nullptr);
    EXPECT_EQ(agenda.next(), now + 100ms);
}

TEST_F(WaitingTest, AParkedLaneIsNowhereUntilItIsUnparked) {
    quota(10'000);
    CallRecord& r = wait({});
    Waiting::park(*r.queued.lane);
    place(*r.queued.lane);
    EXPECT_EQ(Waiting::next(target(r)), nullptr);
    const std::vector<Lane*> lanes = waiting().unpark(*r.client);
    ASSERT_EQ(lanes, std::vector<Lane*>{r.queued.lane});
    place(*lanes.front());
    EXPECT_EQ(take(target(r)), &r);
    EXPECT_TRUE(waiting().unpark(*r.client).empty());
}

TEST_F(WaitingTest, LanesGoWithTheirPathAndWithTheirClient) {
    quota(10'000);
    CallRecord& r = wait({});
    TargetState& t = target(r);
    leave(r);
    EXPECT_EQ(t.queue.flows.size(), 1U);
    waiting().drop_lanes(*r.path);
    EXPECT_TRUE(r.path->lanes.empty());
    EXPECT_TRUE(r.client->queue.lanes.empty());
    EXPECT_TRUE(t.queue.flows.empty()) << "nothing refers to it";
    join(r);
    leave(r);
    waiting().drop_lanes(*r.client);
    EXPECT_TRUE(r.path->lanes.empty());
    EXPECT_EQ(agenda.next(), std::nullopt) << "no timer of theirs is left";
}

TEST_F(WaitingTest, LanesLeaveTheAgendaInTheOrderTheyWereMade) {
    // Two worlds with the same calls, whose clients lie in memory in opposite orders.
    const auto order_of = [&](bool reversed) {
        Agenda todo;
        Waiting room(todo);
        room.configure(config);
        Accounts books(config);
        std::vector<ClientState> clients(16);
        Call asked;
        asked.model = kSonnet;
        asked.home_region = "us-east-1";
        Path* path = books.path_of(asked, clients[0], now).path;
        std::vector<std::unique_ptr<CallRecord>> calls;
        for (std::size_t i = 0; i < clients.size(); ++i) {
            CallRecord& r = *calls.emplace_back(std::make_unique<CallRecord>());
            r.client = &clients[reversed ? clients.size() - 1 - i : i];
            r.client->name = std::to_string(i);
            r.path = path;
            room.lane_for(r, now);
        }
        std::vector<Timer> others(8, Timer{{}, kNotInHeap, TimerKind::target, nullptr});
        for (std::size_t i = 0; i < clients.size(); ++i) {
            todo.arm(room.lane_for(*calls[i], now)->timer, now + 1s);
            if (i % 2 == 0) {
                todo.arm(others[i / 2], now + 1s);
            }
        }
        room.drop_lanes(*path);
        std::vector<std::ptrdiff_t> order;
        while (Timer* due = todo.due(now + 1s)) {
            order.push_back(due - others.data());
            todo.disarm(*due);
        }
        return order;
    };
    EXPECT_EQ(order_of(false), order_of(true));
    EXPECT_EQ(order_of(false).size(), 8U);
}

// ---- who is next

TEST_F(WaitingTest, TheClientWithTheLeastCounterIsNext) {
    quota(10'000);
    for (int i = 0; i < 4; ++i) {
        wait({.client = "a", .max_output = 400});
    }
    TargetState& t = target(wait({.client = "b", .max_output = 100}));
    for (int i = 0; i < 5; ++i) {
        wait({.client = "b", .max_output = 100});
    }
    EXPECT_EQ(takes(t, 8), "abbbbabb") << "as many tokens each, not as many calls";
}

TEST_F(WaitingTest, AShareOfThreeIsServedThreeTimesAsMuch) {
    client("b").share = 3;
    quota(10'000);
    TargetState& t = target(wait({.client = "a"}));
    for (int i = 0; i < 12; ++i) {
        wait({.client = i < 3 ? "a" : "b"});
    }
    const std::string first = takes(t, 8);
    EXPECT_EQ(std::ranges::count(first, 'a'), 2);
    EXPECT_EQ(std::ranges::count(first, 'b'), 6);
}

TEST_F(WaitingTest, CallsThatPreferATargetGoBeforeThoseThatFallBackToIt) {
    quota(10'000);
    two_regions();
    RouteConfig& other = route({{"us-west-2", ""}});
    other.model = kHaiku;
    quota(10'000, {kHaiku});
    config.routes.back().targets[0].model = kSonnet;
    CallRecord& spilling = wait({.client = "a"});
    TargetState& west = target(spilling, 1);
    CallRecord& prefers = wait({.client = "b", .model = kHaiku});
    ASSERT_EQ(&target(prefers), &west);
    EXPECT_EQ(take(west), &prefers);
    EXPECT_EQ(take(west), &spilling);
}

TEST_F(WaitingTest, TheMoreUrgentClassIsNextUnlessAnotherIsOwed) {
    quota(100'000);
    for (int i = 0; i < 30; ++i) {
        wait({.client = "i", .max_output = 100, .priority = Priority::interactive});
    }
    CallRecord& batch = wait({.client = "b", .max_output = 100, .priority = Priority::batch});
    wait({.client = "b", .max_output = 100, .priority = Priority::batch});
    TargetState& t = target(batch);
    EXPECT_EQ(takes(t, 20), std::string(20, 'i'));
    EXPECT_NEAR(queue(t, Priority::batch).owed, 100, 1e-9) << "a twentieth of what went by";
    EXPECT_EQ(take(t), &batch);
    EXPECT_NEAR(queue(t, Priority::batch).owed, 0, 1e-9);
    EXPECT_EQ(takes(t, 3), "iii");
    EXPECT_EQ(queue(t, Priority::standard).owed, 0) << "nothing is owed to who does not wait";
}

TEST_F(WaitingTest, ANewcomerWaitsBehindItsClassAndWhatIsOwed) {
    quota(100'000);
    const auto cls = [](Priority p) { return static_cast<std::size_t>(p); };
    CallRecord& r = wait({.max_output = 100});
    TargetState& t = target(r);
    EXPECT_TRUE(Waiting::others_first(t, cls(Priority::standard)));
    EXPECT_TRUE(Waiting::others_first(t, cls(Priority::batch)));
    EXPECT_FALSE(Waiting::others_first(t, cls(Priority::interactive)));
    queue(t).owed = 100;
    EXPECT_TRUE(Waiting::others_first(t, cls(Priority::interactive)));
}

TEST_F(WaitingTest, WhoReturnsStartsLevelWithTheLeastActive) {
    quota(10'000);
    CallRecord& first = wait({.client = "a", .max_output = 1'000});
    TargetState& t = target(first);
    wait({.client = "b", .max_output = 1'000});
    for (int i = 0; i < 5; ++i) {
        wait({.client = "b", .max_output = 1'000});
        wait({.client = "c", .max_output = 1'000});
    }
    EXPECT_EQ(takes(t, 7).front(), 'a');
    CallRecord& back = wait({.client = "a", .max_output = 1'000});
    EXPECT_DOUBLE_EQ(flow(back).counter, 0.3) << "not at the 0.1 it left with";
    wait({.client = "a", .max_output = 1'000});
    const std::string next = takes(t, 4);
    EXPECT_LE(std::ranges::count(next, 'a'), 2) << "idle time is not saved up";
}

TEST_F(WaitingTest, ANewClientStartsWhereTheOneServedLastStood) {
    quota(10'000);
    TargetState& t = target(wait({.client = "a", .max_output = 1'000}));
    wait({.client = "a", .max_output = 1'000});
    takes(t, 2);
    EXPECT_DOUBLE_EQ(flow(wait({.client = "new"})).counter, 0.1);
}

TEST_F(WaitingTest, ACallIsChargedAsExpectedAndCorrectedWhenItIsOver) {
    quota(10'000);
    client("heavy").share = 2;
    CallRecord& r = wait({.client = "heavy", .max_output = 1'000});
    ASSERT_EQ(take(target(r)), &r);
    EXPECT_DOUBLE_EQ(r.attempt.charged, 0.1);
    EXPECT_DOUBLE_EQ(r.attempt.flow->counter, 0.05) << "by its share";
    Waiting::correct(r, std::nullopt);
    EXPECT_DOUBLE_EQ(r.attempt.flow->counter, 0.05);
    Waiting::correct(r, 0.03);
    EXPECT_DOUBLE_EQ(r.attempt.flow->counter, 0.015);
    EXPECT_DOUBLE_EQ(target(r).queue.granted, 1'000);
}

TEST_F(WaitingTest, ACorrectionMovesTheClientsHeads) {
    quota(10'000);
    CallRecord& a = wait({.client = "a", .max_output = 1'000});
    TargetState& t = target(a);
    wait({.client = "a"});
    wait({.client = "b"});
    ASSERT_EQ(take(t), &a);
    EXPECT_EQ(Waiting::next(t)->lane->client->name, "b");
    Waiting::correct(a, 0);
    EXPECT_EQ(Waiting::next(t)->lane->client->name, "a") << "it came first, and nothing was taken";
}

TEST_F(WaitingTest, AFlowLivesWhileALaneOrAnAttemptRefersToIt) {
    quota(10'000);
    CallRecord& r = wait({});
    TargetState& t = target(r);
    ASSERT_EQ(take(t), &r);
    waiting().drop_lanes(*r.client);
    EXPECT_EQ(t.queue.flows.size(), 1U) << "its attempt is under way";
    Waiting::release(r);
    EXPECT_EQ(r.attempt.flow, nullptr);
    EXPECT_TRUE(t.queue.flows.empty());
}

TEST_F(WaitingTest, ACallThatFitsMayGoBesideTheHead) {
    quota(10'000);
    CallRecord& head = wait({.max_output = 5'000});
    wait({.max_output = 4'000});
    CallRecord& small = wait({.max_output = 100});
    const auto below = [](std::uint64_t most) {
        return [most](const CallRecord& r) { return *r.asked.max_output <= most; };
    };
    EXPECT_EQ(Waiting::beside_head(slot(head), below(1'000)), &small);
    EXPECT_EQ(Waiting::beside_head(slot(head), below(10)), nullptr);
    EXPECT_NE(Waiting::beside_head(slot(head), below(9'000)), &head);
    int looked = 0;
    for (int i = 0; i < 100; ++i) {
        wait({.max_output = 4'000});
    }
    Waiting::beside_head(slot(head), [&](const CallRecord&) { return ++looked, false; });
    EXPECT_EQ(looked, 31) << "the head is one of 32";
}

TEST_F(WaitingTest, AtAFallbackNobodyPassesAHeadThatCameFirst) {
    quota(10'000);
    two_regions();
    CallRecord& head = wait({.max_output = 5'000});
    CallRecord& later = wait({.max_output = 100});
    const auto any = [](const CallRecord&) { return true; };
    EXPECT_EQ(Waiting::beside_head(slot(head, 0), any), &later);
    EXPECT_EQ(Waiting::beside_head(slot(head, 1), any), nullptr);
}

}  // namespace
}  // namespace weir::policy
