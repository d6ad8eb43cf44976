// What calls cost, before and after, at each kind of target.
#include "policy/costs.h"

#include "unit/policy/rooms_world.h"

namespace weir::policy {
namespace {

class CostsTest : public RoomsTest {};

TEST_F(CostsTest, ACallHoldsItsInputWithAMarginAndMaxTokensAndSettlesWithTheBurndown) {
    quota(100'000);
    const CallRecord& r = call({.input = 1000, .max_output = 500});
    const TargetState& t = target(r);
    EXPECT_EQ(held_cost(r, t, 0), Amount(1350 + 500)) << "the burndown is not held";
    EXPECT_LT(least_cost(r, t, 0), 1000U + 500U);
    EXPECT_EQ(settled_cost(t, Usage{1000, 20, 7'000, 30, true}, *t.pool), Amount(1030 + 5 * 20))
        << "cache reads are free";
}

TEST_F(CostsTest, ReserveBurndownHoldsMaxTokensTimesTheBurndown) {
    quota(100'000).reserve_burndown = true;
    const CallRecord& r = call({.max_output = 500});
    EXPECT_EQ(held_cost(r, target(r), 0), Amount(2500));
    EXPECT_EQ(least_cost(r, target(r), 0), 2500U);
}

TEST_F(CostsTest, ACallNearTheWholeLimitHoldsTheLimit) {
    quota(1000);
    const CallRecord& r = call({.input = 900, .max_output = 90});
    const Amount held = held_cost(r, target(r), 0);
    EXPECT_EQ(held.tokens, *target(r).pool->largest());
    EXPECT_EQ(target(r).pool->blocked_by(held), LimitKind::none);
}

TEST_F(CostsTest, MaxTokensIsTheLeastOfAllThatLimitIt) {
    quota(1'000'000, {kSonnet, kHaiku});
    route({{"us-east-1", ""}, {"us-east-1", kHaiku}});
    client("small").max_output = 300;
    const CallRecord& r = call({.max_output = 5'000});
    ASSERT_EQ(r.path->targets.size(), 2U);
    EXPECT_EQ(max_output(r, target(r), 0), 5'000U);
    EXPECT_EQ(max_output(r, target(r, 1), 1), 1000U) << "the fallback model's maximum";
    const CallRecord& unset = call({.max_output = std::nullopt});
    EXPECT_EQ(max_output(unset, target(unset), 0), 64'000U);
    const CallRecord& small = call({.client = "small", .max_output = 5'000});
    EXPECT_EQ(max_output(small, target(small), 0), 300U);
    EXPECT_EQ(held_cost(small, target(small), 0), Amount(300));
}

TEST_F(CostsTest, ARoutesCapHoldsUnlessTheBodyHasNoPlaceForTheNumber) {
    quota(1'000'000, {"other.model"});
    RouteConfig& r = route({{"us-east-1", ""}});
    r.model = "other.model";
    r.max_output = 200;
    const CallRecord& own = call({.model = "other.model", .max_output = 5'000, .converse = false});
    EXPECT_EQ(max_output(own, target(own), 0), 200U);
    const CallRecord& unset =
        call({.model = "other.model", .max_output = std::nullopt, .converse = false});
    EXPECT_EQ(max_output(unset, target(unset), 0), 64'000U);
}

TEST_F(CostsTest, ARightSizedRouteHoldsWhatAnswersHaveNeeded) {
    quota(10'000'000);
    route({{"us-east-1", ""}}).right_size = true;
    answers(200, 50, {.max_output = 4'000});
    CallRecord& r = call({.max_output = 4'000});
    EXPECT_LT(max_output(r, target(r), 0), 400U);
    EXPECT_GE(max_output(r, target(r), 0), 50U);
    EXPECT_EQ(allowed_output(r, target(r), 0), 4'000U);
    r.asked.thinking_budget = 1'000;
    EXPECT_EQ(max_output(r, target(r), 0), 2'024U) << "and room for an answer beside it";
    r.full_output = true;
    EXPECT_EQ(max_output(r, target(r), 0), 4'000U);
}

TEST_F(CostsTest, WhereOutputIsApartItHasAnAmountOfItsOwnAndNoBurndown) {
    QuotaConfig q;
    q.models = {kSonnet};
    q.reserved = true;
    q.input_tokens_per_minute = 10'000;
    q.output_tokens_per_minute = 2'000;
    config.quotas = {q};
    RouteTarget reserved{"us-east-1", ""};
    reserved.tier = Tier::reserved;
    route({reserved});
    const CallRecord& r = call({.input = 1000, .max_output = 500});
    const TargetState& t = target(r);
    ASSERT_TRUE(t.pool->apart());
    EXPECT_EQ(held_cost(r, t, 0), Amount(1850, 500)) << "let in by both, against the first";
    const Usage usage{1000, 20, 0, 0, true};
    EXPECT_EQ(settled_cost(t, usage, *t.pool), Amount(1000, 20));
    const QuotaPool own(60s, Meter::Window::ours, {{}, 10'000, {}});
    EXPECT_EQ(settled_cost(t, usage, own), Amount(1020)) << "a client's own limit has one meter";
    const CallRecord& long_one = call({.max_output = 9'000});
    EXPECT_EQ(held_cost(long_one, t, 0).output, *t.pool->largest_output());
}

TEST_F(CostsTest, AClientsOwnLimitIsHeldAtMostWhole) {
    quota(100'000);
    client("own").tokens_per_minute = 1'000;
    const CallRecord& r = call({.client = "own"});
    EXPECT_EQ(own_cost(*r.client, {5'000, 7}).tokens, *r.client->limits->largest());
    EXPECT_EQ(own_cost(*r.client, {10, 7}), Amount(10, 7));
    EXPECT_EQ(own_cost(*call().client, {5'000, 7}), Amount(5'000, 7)) << "no limit of its own";
}

TEST_F(CostsTest, WhatIsExpectedIsWhatIsHeldUntilAnswersAreKnown) {
    quota(1'000'000);
    const CallRecord& r = call({.max_output = 4'000});
    EXPECT_DOUBLE_EQ(expected_cost(r, target(r), 0), 4'000);
    answers(4, 10, {.max_output = 4'000});
    EXPECT_DOUBLE_EQ(expected_cost(r, target(r), 0), 4'000);
    answers(1, 10, {.max_output = 4'000});
    EXPECT_NEAR(expected_cost(r, target(r), 0), 50, 1);
}

TEST_F(CostsTest, AShareIsOfTheLimitThatTheCallTakesMostOf) {
    const QuotaPool tokens(60s, Meter::Window::ours, {{}, 1'000, {}});
    EXPECT_DOUBLE_EQ(share_of(tokens, 250), 0.25);
    const QuotaPool both(60s, Meter::Window::ours, {2, 1'000, {}});
    EXPECT_DOUBLE_EQ(share_of(both, 250), 0.5);
    EXPECT_DOUBLE_EQ(share_of(both, 750), 0.75);
    const QuotaPool apart(60s, Meter::Window::ours, {{}, 1'000, {}, true, 100});
    EXPECT_DOUBLE_EQ(share_of(apart, {250, 80}), 0.8);
    const QuotaPool unknown(60s, Meter::Window::ours, {});
    EXPECT_DOUBLE_EQ(share_of(unknown, 250), 250.0 / kUnknownLimit);
}

TEST_F(CostsTest, ACallThatWasLeftCostsWhatWasSeenAndTwoSecondsMore) {
    quota(1'000'000);
    CallRecord& r = call({.input = 100, .max_output = 4'000});
    begin(r);
    const TargetState& t = target(r);
    now += 3s;
    EXPECT_EQ(left_cost(r, {}, *t.pool, now).tokens, r.attempt.reservation.tokens)
        << "no pace is known";
    answers(10, 100, {.max_output = 4'000});  // 100 tokens a second
    const Instant left = r.attempt.sent_at + 3s;
    EXPECT_NEAR(static_cast<double>(left_cost(r, {100, 0, 0, 0, false}, *t.pool, left).tokens),
                100 + 5 * 500, 5);
    EXPECT_EQ(left_cost(r, {100, 7, 0, 0, true}, *t.pool, left), Amount(135));
}

}  // namespace
}  // namespace weir::policy
