// What there is for calls, and what attempts hold: without the engine.
#include "policy/accounts.h"

#include "unit/policy/rooms_world.h"

namespace weir::policy {
namespace {

class AccountsTest : public RoomsTest {};

// ---- what attempts hold

TEST_F(AccountsTest, AnAttemptIsCountedAndHoldsUntilItSettles) {
    quota(100'000);
    client("c").tokens_per_minute = 50'000;
    CallRecord& r = call({.max_output = 2'000});
    begin(r);
    TargetState& t = target(r);
    EXPECT_EQ(r.attempt.target, &t);
    EXPECT_EQ(used(t), 2'000U);
    EXPECT_EQ(r.client->limits->meter(LimitKind::tokens).used(), 2'000U);
    EXPECT_EQ(t.in_flight, 1U);
    EXPECT_EQ(t.region->in_flight, 1U);
    EXPECT_EQ(r.client->in_flight, 1U);
    EXPECT_EQ(accounts().in_flight(), 1U);
    now += 1s;
    const auto share = Accounts::settle(r, Usage{0, 100, 0, 0, true}, now);
    ASSERT_TRUE(share);
    EXPECT_DOUBLE_EQ(*share, 500.0 / 100'000);
    EXPECT_EQ(used(t), 500U);
    EXPECT_EQ(r.client->limits->meter(LimitKind::tokens).used(), 500U);
    EXPECT_EQ(r.attempt.reservation.pool, nullptr);
    accounts().leave(r);
    EXPECT_EQ(t.in_flight + t.region->in_flight + r.client->in_flight + accounts().in_flight(), 0U);
    EXPECT_EQ(r.last_target, &t);
}

TEST_F(AccountsTest, WithoutUsageTheReservationStays) {
    quota(100'000);
    CallRecord& r = call({.max_output = 2'000});
    begin(r);
    EXPECT_FALSE(Accounts::settle(r, Usage{}, now));
    EXPECT_EQ(used(target(r)), 2'000U);
}

TEST_F(AccountsTest, WhatAFailureKeepsAndGivesBack) {
    struct Case {
        FailureClass cls;
        Stage stage;
        std::uint64_t tokens;
        std::uint64_t requests;
        bool charged;
    };
    const Case cases[] = {
        {FailureClass::network, Stage::not_sent, 0, 0, false},
        {FailureClass::capacity, Stage::sent, 0, 1, false},
        {FailureClass::quota_tokens, Stage::sent, 0, 1, false},
        {FailureClass::caller, Stage::sent, 0, 1, false},
        {FailureClass::timeout, Stage::sent, 1'000, 1, true},
        {FailureClass::broken, Stage::begun, 1'000, 1, true},
        {FailureClass::truncated, Stage::begun, 1'000, 1, true},
    };
    for (const Case& c : cases) {
        RoomsTest::config.quotas.clear();
        quota(100'000).requests_per_minute = 100;
        Accounts fresh(config);
        CallRecord r;
        r.client = fresh.client_for("c");
        Call asked;
        asked.model = kSonnet;
        asked.home_region = "us-east-1";
        r.path = fresh.path_of(asked, *r.client, now).path;
        r.asked.max_output = 1'000;
        fresh.reserve(r, 0, held_cost(r, target(r), 0));
        if (c.stage != Stage::not_sent) {
            Accounts::sent(r, now);
        }
        Failure failure;
        failure.cls = c.cls;
        failure.stage = c.stage;
        const auto share = Accounts::failed(r, failure, random, now);
        const int cls = static_cast<int>(c.cls);
        EXPECT_EQ(used(target(r)), c.tokens) << cls;
        EXPECT_EQ(used(target(r), LimitKind::requests), c.requests) << cls;
        EXPECT_EQ(!share.has_value(), c.charged) << cls;
        EXPECT_EQ(share.value_or(0), 0) << cls;
        EXPECT_EQ(target(r).pool->outstanding(), 0U) << cls;
    }
}

TEST_F(AccountsTest, MoreThanWasHeldIsASurplus) {
    quota(100'000);
    CallRecord& r = call({.max_output = 100});
    begin(r);
    Failure failure;
    failure.cls = FailureClass::timeout;
    failure.stage = Stage::sent;
    failure.seen = Usage{0, 100, 0, 0, true};
    EXPECT_FALSE(Accounts::failed(r, failure, random, now));
    EXPECT_EQ(used(target(r)), 500U);
}

TEST_F(AccountsTest, AClientThatLeavesGivesBackWhatItDidNotUse) {
    quota(100'000);
    CallRecord& unsent = call({.max_output = 1'000});
    accounts().reserve(unsent, 0, held_cost(unsent, target(unsent), 0));
    unsent.state = CallState::granted;
    EXPECT_EQ(Accounts::left(unsent, {}, random, now), 0);
    EXPECT_EQ(used(target(unsent)), 0U);
    CallRecord& seen = call({.max_output = 1'000});
    begin(seen);
    const auto share = Accounts::left(seen, Usage{10, 20, 0, 0, true}, random, now);
    EXPECT_DOUBLE_EQ(share.value_or(-1), 110.0 / 100'000);
    EXPECT_EQ(used(target(seen)), 110U);
}

TEST_F(AccountsTest, AServiceThatDoesNotGiveBackIsBelieved) {
    quota(2'000);
    CallRecord& gone = call({.max_output = 1'500});
    begin(gone);
    Accounts::left(gone, Usage{0, 1, 0, 0, true}, random, now);
    accounts().leave(gone);
    CallRecord& refused = call({.max_output = 1'500});
    begin(refused);
    Failure failure;
    failure.cls = FailureClass::quota_tokens;
    failure.stage = Stage::sent;
    Accounts::failed(refused, failure, random, now);
    accounts().leave(refused);
    now += 300s;
    CallRecord& next = call({.max_output = 1'500});
    begin(next);
    EXPECT_FALSE(Accounts::left(next, Usage{0, 1, 0, 0, true}, random, now));
    EXPECT_EQ(used(target(next)), 1'500U) << "kept whole";
}

// ---- what there is

TEST_F(AccountsTest, TargetsOfOneQuotaShareAPoolARegion) {
    quota(10'000, {kSonnet, kHaiku}).max_in_flight = 2;
    route({{"us-east-1", ""}, {"us-east-1", kHaiku}, {"us-west-2", ""}});
    CallRecord& r = call({.max_output = 1'000});
    TargetState& sonnet = target(r, 0);
    TargetState& haiku = target(r, 1);
    TargetState& west = target(r, 2);
    EXPECT_EQ(sonnet.pool, haiku.pool);
    EXPECT_NE(sonnet.pool, west.pool);
    EXPECT_NE(sonnet.estimator, haiku.estimator) << "of each model";
    EXPECT_EQ(sonnet.estimator, west.estimator) << "wherever it is";
    EXPECT_EQ(sonnet.pool->targets, (std::vector<TargetState*>{&haiku, &sonnet}));
    EXPECT_EQ(west.pool->targets, std::vector<TargetState*>{&west});
    begin(r, 1);
    EXPECT_EQ(used(sonnet), 1'000U) << "what one takes the other has not";
    EXPECT_FALSE(Accounts::pool_full(sonnet));
    begin(call({.max_output = 1'000}), 0);
    EXPECT_EQ(Accounts::pool_in_flight(haiku), 2U);
    EXPECT_TRUE(Accounts::pool_full(haiku));
    EXPECT_FALSE(Accounts::pool_full(west));
}

TEST_F(AccountsTest, RoomIsInThePoolAndInTheClientsOwnLimits) {
    quota(10'000);
    client("own").tokens_per_minute = 1'500;
    client("few").max_in_flight = 1;
    begin(call({.client = "own", .max_output = 1'000}));
    begin(call({.client = "few", .max_output = 1'000}));
    EXPECT_FALSE(Accounts::has_room(call({.client = "own", .max_output = 1'000}), 0, now));
    EXPECT_TRUE(Accounts::has_room(call({.client = "own", .max_output = 400}), 0, now));
    const CallRecord& second = call({.client = "few"});
    EXPECT_FALSE(Accounts::has_room(second, 0, now));
    EXPECT_EQ(Accounts::own_limit(*second.client, 1, now), LimitKind::in_flight);
    EXPECT_EQ(Accounts::own_free_at(*second.client, 1, now), Instant::max())
        << "only an end changes it";
    EXPECT_TRUE(Accounts::has_room(call({.max_output = 7'500}), 0, now));
    EXPECT_FALSE(Accounts::has_room(call({.max_output = 9'000}), 0, now));
}

TEST_F(AccountsTest, ACallKnowsWhenItsClientsOwnLimitWillLetItGo) {
    quota(100'000);
    client("own").requests_per_minute = 1;
    CallRecord& r = call({.client = "own"});
    EXPECT_EQ(Accounts::own_turn(r, now), now);
    begin(r);
    const Instant at = Accounts::own_turn(call({.client = "own"}), now);
    EXPECT_GE(at, now + 59s);
    EXPECT_LE(at, now + 62s);
    EXPECT_EQ(Accounts::own_turn(call(), now), now) << "no limit of its own";
}

TEST_F(AccountsTest, ATurnComesWhenEnoughFreesOrEnoughCallsEnd) {
    quota(10'000).max_in_flight = 1;
    answers(5, 10, {.max_output = 100});  // a second each
    now += 100s;
    CallRecord& r = call({.max_output = 9'000});
    const TargetState& t = target(r);
    t.pool->tick(now);
    EXPECT_EQ(Accounts::free_at(t, 0, 0, 100, now), now);
    begin(r);
    EXPECT_GE(Accounts::free_at(t, 0, 0, 100, now), now + 1s) << "one may be under way";
    EXPECT_GT(Accounts::free_at(t, 0, 4, 100, now), Accounts::free_at(t, 0, 0, 100, now));
    EXPECT_LT(Accounts::free_at(t, 0, 0, 2'000, now), now + 10s)
        << "half of what is held comes back when the call is over";
    EXPECT_GT(Accounts::free_at(t, 9'000, 0, 2'000, now), now + 50s) << "the rest by expiry";
}

TEST_F(AccountsTest, ACallLargerThanEveryLimitIsNamedWithIt) {
    quota(1'000);
    route({{"us-east-1", ""}, {"us-west-2", ""}});
    client("own").tokens_per_minute = 500;
    EXPECT_FALSE(Accounts::never_fits(call({.max_output = 1'000})));
    const auto no = Accounts::never_fits(call({.max_output = 1'001}));
    ASSERT_TRUE(no);
    EXPECT_EQ(no->reason, RefusalReason::never_fits);
    EXPECT_EQ(no->limit_kind, LimitKind::tokens);
    EXPECT_EQ(no->limit, 1'000U);
    EXPECT_EQ(no->cost, 1'001U);
    const auto own = Accounts::never_fits(call({.client = "own", .max_output = 501}));
    ASSERT_TRUE(own);
    EXPECT_EQ(own->model, "this client");
    EXPECT_EQ(own->limit, 500U);
}

TEST_F(AccountsTest, ARefusalNamesTheLimitThatIsFull) {
    quota(10'000).requests_per_minute = 1;
    CallRecord& first = call({.max_output = 1'000});
    begin(first);
    const Refusal r = Accounts::refusal(RefusalReason::quota, call({.max_output = 1'000}), 0);
    EXPECT_EQ(r.limit_kind, LimitKind::requests);
    EXPECT_EQ(r.limit, 1U);
    EXPECT_EQ(r.region, "us-east-1");
    EXPECT_EQ(r.model, kSonnet);
    const Refusal nowhere = Accounts::refusal(RefusalReason::no_target, first, 7);
    EXPECT_EQ(nowhere.model, kSonnet);
    EXPECT_EQ(nowhere.limit_kind, LimitKind::none);
}

TEST_F(AccountsTest, RequestsThatNoQuotaLimitsCountInTheClientsOwnLimit) {
    client("own").requests_per_minute = 2;
    EXPECT_FALSE(accounts().count_request("own", now));
    EXPECT_FALSE(accounts().count_request("own", now));
    const auto no = accounts().count_request("own", now);
    ASSERT_TRUE(no);
    EXPECT_EQ(no->reason, RefusalReason::client_limit);
    EXPECT_GT(no->retry_after, 0s);
    EXPECT_FALSE(accounts().count_request("nobody", now));
    EXPECT_EQ(accounts().clients().size(), 1U) << "who is not configured leaves nothing behind";
}

// ---- what is kept, and for how long

TEST_F(AccountsTest, CallsThatAreAlikeShareAPathAndItsTargets) {
    quota(10'000);
    client("east").regions = {"us-east-1"};
    const CallRecord& a = call({.client = "a"});
    const CallRecord& b = call({.client = "b"});
    EXPECT_EQ(a.path, b.path);
    const CallRecord& bound = call({.client = "east"});
    EXPECT_NE(bound.path, a.path) << "it has Regions of its own";
    EXPECT_EQ(&target(bound), &target(a));
}

TEST_F(AccountsTest, WhoIsNeitherConfiguredNorBusyIsForgotten) {
    client("known");
    CallRecord& r = call({.client = "guest"});
    EXPECT_FALSE(Accounts::may_forget(*r.client));
    forget(r);
    EXPECT_TRUE(Accounts::may_forget(*r.client));
    EXPECT_FALSE(Accounts::may_forget(*accounts().client_for("known")));
    EXPECT_FALSE(Accounts::may_forget(*accounts().client_for("")));
    accounts().forget(r.client);
    EXPECT_EQ(accounts().clients().size(), 2U);
}

TEST_F(AccountsTest, ThePathsNobodyUsesAreTrimmedTheLeastRecentlyUsedFirst) {
    const auto model = [](int n) { return "model-" + std::to_string(n); };
    CallRecord& busy = call({.model = model(0)});
    for (int i = 1; i < 1000; ++i) {
        forget(call({.model = model(i)}));
    }
    EXPECT_EQ(accounts().surplus(nullptr), nullptr) << "as many as may be";
    forget(call({.model = model(1)}));
    const CallRecord& one_more = call({.model = model(1000)});
    auto oldest = accounts().surplus(one_more.path);
    ASSERT_TRUE(oldest);
    EXPECT_EQ(oldest->key.model, model(2)) << "0 is busy, 1 was used again";
    EXPECT_EQ(accounts().paths().size(), 1000U);
    std::vector<std::string> going;
    const auto note = [&](TargetState& t) { going.push_back(t.target.model); };
    accounts().purge(note);
    EXPECT_TRUE(going.empty()) << "its path still refers to it";
    Accounts::release(*oldest);
    accounts().purge(note);
    EXPECT_EQ(going, std::vector{model(2)});
    EXPECT_EQ(accounts().targets().size(), 1000U);
    EXPECT_EQ(target(busy).target.model, model(0));
}

TEST_F(AccountsTest, ATargetThatACallHasBeenToIsKeptUntilTheCallEnds) {
    quota(10'000);
    CallRecord& r = call();
    TargetState* been_to = &target(r);
    r.first_target = been_to;
    accounts().keep_mentioned(r);
    const auto paths = accounts().take_paths();
    for (const auto& [key, path] : paths) {
        Accounts::release(*path);
    }
    int gone = 0;
    const auto count = [&](TargetState&) { ++gone; };
    accounts().purge(count);
    EXPECT_EQ(gone, 0);
    EXPECT_FALSE(accounts().purge_due());
    accounts().let_go_mentioned(r);
    EXPECT_TRUE(accounts().purge_due());
    accounts().purge(count);
    EXPECT_EQ(gone, 1);
}

TEST_F(AccountsTest, ANewConfigurationKeepsLevelsAndMovesAttemptsWithTheirTarget) {
    quota(10'000);
    quota(20'000, {kHaiku});
    CallRecord& sonnet = call({.max_output = 1'000});
    CallRecord& haiku = call({.model = kHaiku, .max_output = 500});
    begin(sonnet);
    begin(haiku);
    TargetState& a = target(sonnet);
    TargetState& b = target(haiku);
    ASSERT_NE(a.pool, b.pool);
    config.quotas.clear();
    quota(30'000, {kHaiku, kSonnet});
    CallRecord* const calls[] = {&sonnet, &haiku};
    accounts().reconfigure(calls, now);
    EXPECT_EQ(a.pool, b.pool);
    EXPECT_EQ(used(a), 1'500U) << "the sum of both";
    EXPECT_EQ(sonnet.attempt.reservation.pool, a.pool);
    EXPECT_EQ(a.pool->targets.size(), 2U);
    Accounts::settle(sonnet, Usage{0, 100, 0, 0, true}, now);
    EXPECT_EQ(used(a), 500U + 500U);
}

TEST_F(AccountsTest, AttemptsUnderWaySeeAPoolOfAnotherWindowOut) {
    quota(10'000);
    CallRecord& r = call({.max_output = 1'000});
    begin(r);
    QuotaPool* before = target(r).pool;
    config.quota_window = 30s;
    CallRecord* const calls[] = {&r};
    accounts().reconfigure(calls, now);
    EXPECT_NE(target(r).pool, before);
    EXPECT_EQ(r.attempt.reservation.pool, before);
    EXPECT_EQ(used(target(r)), 0U);
    accounts().purge([](TargetState&) {});
    Accounts::settle(r, Usage{0, 1, 0, 0, true}, now);
    EXPECT_EQ(before->outstanding(), 0U);
}

TEST_F(AccountsTest, PoolsAreLeftToTheNextEngineInTheOrderOfTheirTargets) {
    std::vector<std::string> models;
    for (int i = 20; i-- > 0;) {
        models.push_back("model-" + std::to_string(10 + i));
        begin(call({.model = models.back()}));
    }
    const EngineState left = accounts().state({}, now);
    ASSERT_EQ(left.pools.size(), models.size());
    for (const EngineState::Pool& pool : left.pools) {
        ASSERT_EQ(pool.targets.size(), 1U);
        EXPECT_EQ(pool.targets.front().model, models.back()) << "made last, and first by name";
        models.pop_back();
    }
}

}  // namespace
}  // namespace weir::policy
