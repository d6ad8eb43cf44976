// bedrock-mantle, tiers and mappings: where calls may go, of which quota they take, what they are
// told to send.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include "policy/eligibility.h"
#include "policy/quota_pool.h"
#include "policy/tariff.h"
#include "unit/given.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using policy::PoolLimits;
using policy::QuotaPool;
using policy::Reservation;

const std::string kEastProfile =
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/east";
const std::string kWestProfile =
    "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/west";

// ---- a pool that counts output apart

QuotaPool apart(std::uint64_t input, std::optional<std::uint64_t> output) {
    return {60s, policy::Meter::Window::ours,
            PoolLimits{std::nullopt, input, std::nullopt, true, output}};
}

TEST(ApartPool, HoldsBothAndSettlesEachAtItsOwnMeter) {
    QuotaPool pool = apart(10'000, 1'000);
    Reservation r = pool.hold({6'000, 400});
    EXPECT_EQ(pool.meter(LimitKind::input_tokens).used(), 6'000U);
    EXPECT_EQ(pool.meter(LimitKind::output_tokens).used(), 400U);
    EXPECT_EQ(pool.blocked_by({5'000, 1}), LimitKind::input_tokens);
    EXPECT_EQ(pool.blocked_by({1'000, 700}), LimitKind::output_tokens);
    EXPECT_EQ(pool.blocked_by({1'000, 500}), LimitKind::none);
    pool.sent(r, kStart);
    pool.settle(r, {2'000, 300}, kStart + 1s);
    EXPECT_EQ(pool.meter(LimitKind::tokens).used(), 2'000U) << "max_tokens is refunded whole";
    EXPECT_EQ(pool.meter(LimitKind::output_tokens).used(), 300U);
    EXPECT_EQ(pool.outstanding(), 0U);
    pool.tick(kStart + 62s);
    EXPECT_EQ(pool.meter(LimitKind::input_tokens).used(), 0U);
    EXPECT_EQ(pool.meter(LimitKind::output_tokens).used(), 0U);
}

TEST(ApartPool, EveryEndGivesBackOrKeepsBoth) {
    QuotaPool pool = apart(10'000, 1'000);
    const auto output = [&] { return pool.meter(LimitKind::output_tokens).used(); };
    Reservation unsent = pool.hold({100, 10});
    pool.give_back_all(unsent, kStart);
    EXPECT_EQ(output(), 0U);
    Reservation back = pool.hold({100, 10});
    pool.sent(back, kStart);
    pool.give_back_all(back, kStart);
    Reservation tokens = pool.hold({100, 10});
    pool.give_back_tokens(tokens, kStart);
    policy::Random random(1);
    Reservation refused = pool.hold({100, 10});
    pool.refused(LimitKind::requests, refused, {}, random, kStart);
    EXPECT_EQ(output(), 0U);
    EXPECT_FALSE(pool.meter(LimitKind::requests).limit()) << "there are none, whatever it says";
    Reservation kept = pool.hold({100, 10});
    pool.keep(kept, {50, 25}, kStart);
    EXPECT_EQ(output(), 25U) << "the reservation and the surplus";
    EXPECT_EQ(pool.meter(LimitKind::input_tokens).used(), 100U);
    EXPECT_EQ(pool.outstanding(), 0U);
}

TEST(ApartPool, ItsOutputIsNoBarWhereNobodySaysItsLimit) {
    QuotaPool pool = apart(10'000, std::nullopt);
    EXPECT_EQ(pool.blocked_by({1, ~0ULL}), LimitKind::none);
    EXPECT_FALSE(pool.largest_output());
    const QuotaPool one(60s, policy::Meter::Window::ours, {{}, 1'000, {}});
    EXPECT_EQ(one.blocked_by({1, ~0ULL}), LimitKind::none) << "no meter of its own";
    EXPECT_EQ(one.output(), nullptr);
}

// ---- candidates

class PathTest : public ::testing::Test {
protected:
    PathTest() {
        config.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
        config.default_region = "us-east-1";
        config.models.add("anthropic.", {Family::anthropic, 5, 64'000, 200'000, false});
        config.models.add("openai.", {Family::openai, 1, 64'000, 200'000, false});
        RouteConfig route;
        route.model = kOpus;
        config.routes = {route};
    }
    RouteTarget& add(const std::string& region, Endpoint endpoint = Endpoint::runtime) {
        RouteTarget target;
        target.region = region;
        target.endpoint = endpoint;
        return config.routes[0].targets.emplace_back(std::move(target));
    }
    policy::Candidates of(policy::PathKey key) const {
        key.model = kOpus;
        key.home_region = "us-east-1";
        return policy::candidates(config, key);
    }
    Config config;
};

TEST_F(PathTest, MantleTakesItsLanguagesByThePlainModelId) {
    add("us-east-1");
    add("us-east-1", Endpoint::mantle);
    const auto native = of({});
    ASSERT_EQ(native.usable.size(), 1U);
    EXPECT_STREQ(native.skipped.at(0).reason, "endpoint");
    const auto both = of({.model = {}, .home_region = {}, .reach = Reach::both});
    ASSERT_EQ(both.usable.size(), 2U);
    EXPECT_EQ(both.usable[0].target.model, kOpus);
    EXPECT_EQ(both.usable[0].path, ApiPath::openai_v1);
    EXPECT_EQ(both.usable[1].target,
              (Target{"us-east-1", kPlainOpus, Endpoint::mantle, Tier::unset}));
    EXPECT_EQ(both.usable[1].path, ApiPath::v1);
    EXPECT_FALSE(both.usable[1].degraded || both.usable[1].unlike_first);
    const auto kept = of({.model = {}, .home_region = {}, .reach = Reach::mantle});
    ASSERT_EQ(kept.usable.size(), 1U);
    EXPECT_EQ(kept.usable[0].target.endpoint, Endpoint::mantle);
}

TEST_F(PathTest, ARouteWithoutMantleLeavesPathsAlone) {
    add("us-east-1");
    add("us-west-2").path = ApiPath::v1;
    const auto found = of({.model = {}, .home_region = {}, .reach = Reach::both});
    EXPECT_EQ(found.usable.at(0).path, ApiPath::as_asked);
    EXPECT_EQ(found.usable.at(1).path, ApiPath::v1);
}

TEST_F(PathTest, AGuardrailGoesWhereItHasACounterpartAndNeverToMantle) {
    add("us-east-1");
    add("us-west-2").guardrails = {{"arn:aws:bedrock:us-east-1:1:guardrail/gr-a", "gr-b"}};
    add("us-east-1", Endpoint::mantle);
    const auto mapped =
        of({.model = {}, .home_region = {}, .reach = Reach::both, .guardrail = "gr-a"});
    ASSERT_EQ(mapped.usable.size(), 2U);
    EXPECT_EQ(mapped.usable[0].guardrail, "") << "at home it is its own";
    EXPECT_EQ(mapped.usable[1].guardrail, "gr-b");
    EXPECT_STREQ(mapped.skipped.at(0).reason, "guardrail");
    const auto other = of({.model = {}, .home_region = {}, .guardrail = "gr-x"});
    EXPECT_EQ(other.usable.size(), 1U);
}

TEST_F(PathTest, AProfileGoesWhereItHasACounterpart) {
    add("us-east-1");
    add("us-west-2").profiles = {{kEastProfile, kWestProfile}};
    add("us-east-1", Endpoint::mantle).profiles = {{kEastProfile, kPlainOpus}};
    const auto found =
        of({.model = {}, .home_region = {}, .reach = Reach::both, .profile = kEastProfile});
    ASSERT_EQ(found.usable.size(), 3U);
    EXPECT_EQ(found.usable[0].profile, "");
    EXPECT_EQ(found.usable[1].profile, kWestProfile);
    EXPECT_EQ(found.usable[2].profile, kPlainOpus);
    const auto other = of({.model = {}, .home_region = {}, .profile = kWestProfile});
    ASSERT_EQ(other.usable.size(), 1U);
    EXPECT_STREQ(other.skipped.at(0).reason, "profile");
}

TEST_F(PathTest, AnOpaqueTargetIsWhatItsAliasSays) {
    config.aliases = {{kWestProfile, kOpus}};
    add("us-east-1");
    add("us-west-2").model = kWestProfile;
    policy::PathKey invoke;
    invoke.converse = false;
    const auto found = of(invoke);
    ASSERT_EQ(found.usable.size(), 2U) << "the same family, for it is the same model";
    EXPECT_EQ(found.usable[1].target.model, kWestProfile);
    EXPECT_TRUE(found.usable[1].substituted);
    EXPECT_FALSE(found.usable[1].degraded || found.usable[1].unlike_first);
    EXPECT_EQ(policy::tariff_of(config, found.usable[1].target).burndown, 5U);
}

// ---- tariffs

TEST_F(PathTest, EachEndpointAndTheReservedTierHaveTariffsOfTheirOwn) {
    QuotaConfig shared;
    shared.models = {kOpus};
    shared.output_burndown = 7;
    QuotaConfig mantle;
    mantle.models = {kPlainOpus};
    mantle.endpoint = Endpoint::mantle;
    mantle.input_tokens_per_minute = 1;
    QuotaConfig reserved;
    reserved.models = {kOpus};
    reserved.reserved = true;
    reserved.input_tokens_per_minute = 2;
    config.quotas = {shared, mantle, reserved};
    const Usage usage{100, 10, 1'000, 5, true};
    const auto tariff = [&](const std::string& model, Endpoint endpoint, Tier tier) {
        return policy::tariff_of(config, {"us-east-1", model, endpoint, tier});
    };
    const auto on_demand = tariff(kOpus, Endpoint::runtime, Tier::flex);
    EXPECT_EQ(on_demand.quota, config.quotas.data());
    EXPECT_EQ(on_demand.cost(usage), 105U + 70U);
    const auto on_mantle = tariff(kPlainOpus, Endpoint::mantle, Tier::unset);
    EXPECT_EQ(on_mantle.quota, &config.quotas[1]);
    EXPECT_EQ(on_mantle.cost(usage), 105U) << "output is paid elsewhere, and not multiplied";
    EXPECT_EQ(tariff(kOpus, Endpoint::runtime, Tier::reserved).quota, &config.quotas[2]);
    EXPECT_EQ(tariff(kPlainOpus, Endpoint::mantle, Tier::reserved).quota, nullptr);
}

// ---- the engine

class ApartEngine : public PathTest {
protected:
    void mantle_quota(std::uint64_t input, std::optional<std::uint64_t> output) {
        QuotaConfig q;
        q.models = {kPlainOpus};
        q.endpoint = Endpoint::mantle;
        q.input_tokens_per_minute = input;
        q.output_tokens_per_minute = output;
        config.quotas.push_back(q);
    }
    Engine& engine() {
        if (!engine_) {
            engine_.emplace(config, 1, now);
        }
        return *engine_;
    }
    Call call(std::uint64_t max_output) {
        Call c;
        c.id = CallId{0, 0, ++generation_};
        c.model = kOpus;
        c.home_region = "us-east-1";
        c.reach = Reach::both;
        c.max_output = max_output;
        c.arrival = now;
        return c;
    }
    const Target* target_of(const Decision& d) {
        const auto* grant = std::get_if<Grant>(&d);
        return grant == nullptr ? nullptr : grant->target;
    }
    std::uint64_t used(LimitKind kind) {
        for (const TargetStatus& target : engine().status(now).targets) {
            for (const LimitStatus& limit : target.limits) {
                if (limit.kind == kind) {
                    return limit.used;
                }
            }
        }
        return ~0ULL;
    }
    Instant now = kStart;
    std::uint64_t generation_ = 0;
    std::optional<Engine> engine_;
};

TEST_F(ApartEngine, HoldsMaxTokensOnTheInputQuotaAndPaysItsInputAlone) {
    add("us-east-1", Endpoint::mantle);
    mantle_quota(1'000, 10'000);
    const Call a = call(900);
    ASSERT_NE(target_of(engine().offer(a, now)), nullptr);
    EXPECT_EQ(used(LimitKind::input_tokens), 900U);
    EXPECT_EQ(used(LimitKind::output_tokens), 900U);
    EXPECT_EQ(used(LimitKind::requests), ~0ULL) << "not counted, not shown";
    EXPECT_TRUE(std::holds_alternative<Wait>(engine().offer(call(900), now)));
    engine().sent(a.id, now);
    engine().began(a.id, now);
    engine().settle(a.id, Usage{10, 200, 50, 5, true}, now);
    EXPECT_EQ(used(LimitKind::input_tokens), 15U) << "cached input costs nothing";
    EXPECT_EQ(used(LimitKind::output_tokens), 200U) << "without a burndown";
    std::vector<Wake> woken;
    engine().advance(now, woken);
    ASSERT_EQ(woken.size(), 1U);
}

TEST_F(ApartEngine, WaitsForOutputThatWouldBeCutShort) {
    add("us-east-1", Endpoint::mantle);
    mantle_quota(1'000'000, 1'000);
    const Call a = call(800);
    ASSERT_NE(target_of(engine().offer(a, now)), nullptr);
    engine().sent(a.id, now);
    engine().settle(a.id, Usage{10, 800, 0, 0, true}, now);
    EXPECT_TRUE(std::holds_alternative<Wait>(engine().offer(call(500), now)));
    const auto wake = engine().next_wake();
    ASSERT_TRUE(wake);
    now = kStart + 61s;
    std::vector<Wake> woken;
    engine().advance(now, woken);
    ASSERT_EQ(woken.size(), 1U);
    // Past its deadline of 55 s: refused, by the limit that kept it out.
    const auto* refusal = std::get_if<Refusal>(&woken[0].decision);
    ASSERT_NE(refusal, nullptr);
    EXPECT_EQ(refusal->reason, RefusalReason::deadline);
}

TEST_F(ApartEngine, HoldsWhatAnswersHaveTurnedOutToNeed) {
    add("us-east-1", Endpoint::mantle);
    mantle_quota(100'000'000, 1'000'000);
    for (int i = 0; i < 300; ++i) {
        const Call c = call(5'000);
        ASSERT_NE(target_of(engine().offer(c, now)), nullptr) << i;
        engine().sent(c.id, now);
        engine().settle(c.id, Usage{10, 100, 0, 0, true}, now);
        now += 1s;
    }
    now += 2min;
    ASSERT_NE(target_of(engine().offer(call(5'000), now)), nullptr);
    EXPECT_EQ(used(LimitKind::input_tokens), 5'000U) << "the service checks max_tokens";
    EXPECT_LT(used(LimitKind::output_tokens), 1'000U);
}

TEST_F(ApartEngine, ALargerCallThanTheOutputQuotaGetsItsTurnAlone) {
    add("us-east-1", Endpoint::mantle);
    mantle_quota(1'000'000, 1'000);
    EXPECT_NE(target_of(engine().offer(call(50'000), now)), nullptr);
}

TEST_F(ApartEngine, AFullRuntimeSpillsToMantleAndOneClientLimitCoversBoth) {
    config.routes[0].spill_after = 0s;
    add("us-east-1");
    add("us-east-1", Endpoint::mantle);
    QuotaConfig runtime;
    runtime.models = {kOpus};
    runtime.tokens_per_minute = 1'000;
    config.quotas = {runtime};
    mantle_quota(10'000, {});
    ClientConfig client;
    client.name = "c";
    client.tokens_per_minute = 2'000;
    config.clients = {client};
    const auto offer = [&] {
        Call c = call(900);
        c.client = "c";
        return std::pair(c.id, engine().offer(c, now));
    };
    const auto [first, here] = offer();
    ASSERT_NE(target_of(here), nullptr);
    EXPECT_EQ(target_of(here)->endpoint, Endpoint::runtime);
    const auto [second, there] = offer();
    ASSERT_NE(target_of(there), nullptr);
    EXPECT_EQ(target_of(there)->endpoint, Endpoint::mantle);
    EXPECT_EQ(target_of(offer().second), nullptr) << "the client has no more";
    engine().sent(second, now);
    engine().settle(second, Usage{10, 100, 0, 0, true}, now);
    EXPECT_EQ(engine().status(now).clients.at(0).limits.at(1).used, 900U + 110U);
}

TEST_F(ApartEngine, TiersShareAPoolAndTheReservedOneHasItsOwn) {
    for (const Tier tier : {Tier::reserved, Tier::priority, Tier::standard}) {
        add("us-east-1").tier = tier;
    }
    config.routes[0].spill_after = 0s;
    QuotaConfig shared;
    shared.models = {kOpus};
    shared.tokens_per_minute = 1'000;
    QuotaConfig reserved;
    reserved.models = {kOpus};
    reserved.reserved = true;
    reserved.input_tokens_per_minute = 1'000;
    config.quotas = {shared, reserved};
    std::vector<Tier> got;
    for (int i = 0; i < 3; ++i) {
        const Decision d = engine().offer(call(900), now);
        if (const Target* target = target_of(d)) {
            got.push_back(target->tier);
        }
    }
    EXPECT_EQ(got, (std::vector<Tier>{Tier::reserved, Tier::priority}))
        << "priority and default have one quota between them";
}

TEST_F(ApartEngine, GrantsSayWhatToPutInPlace) {
    add("us-east-1");
    RouteTarget& west = add("us-west-2");
    west.guardrails = {{"gr-a", "gr-b"}};
    west.profiles = {{kEastProfile, kWestProfile}};
    west.tier = Tier::flex;
    Call c = call(10);
    c.guardrail = "arn:aws:bedrock:us-east-1:1:guardrail/gr-a";
    c.profile = kEastProfile;
    ASSERT_NE(target_of(engine().offer(c, now)), nullptr);
    Failure down;
    down.cls = FailureClass::capacity;
    down.stage = Stage::sent;
    down.status = 503;
    const Decision next = engine().report(c.id, down, now);
    const auto* grant = std::get_if<Grant>(&next);
    ASSERT_NE(grant, nullptr);
    EXPECT_EQ(grant->guardrail, "gr-b");
    EXPECT_EQ(grant->profile, kWestProfile);
    EXPECT_EQ(grant->target->tier, Tier::flex);
    config.routes.clear();
    engine().reconfigure(config, now);
    EXPECT_EQ(grant->guardrail, "gr-b") << "it outlives the configuration it came from";
}

TEST_F(ApartEngine, WhatCallersNameDoesNotMultiplyPaths) {
    add("us-east-1");
    add("us-west-2").guardrails = {{"gr-a", "gr-b"}};
    for (int i = 0; i < 3'000; ++i) {
        Call c = call(10);
        const std::string guardrail = "gr-" + std::to_string(i);
        c.guardrail = guardrail;
        const Decision d = engine().offer(c, now);
        ASSERT_NE(target_of(d), nullptr);
        EXPECT_EQ(target_of(d)->region, "us-east-1");
        engine().cancel(c.id, {}, now);
    }
    const Status status = engine().status(now);
    ASSERT_EQ(status.skipped.size(), 1U);
    EXPECT_EQ(status.skipped[0].reason, "guardrail");
    EXPECT_EQ(status.skipped[0].calls, 3'000U);
}

TEST_F(ApartEngine, AKeptAnswerOnMantleIsNotAskedForWithAGuardrail) {
    add("us-east-1", Endpoint::mantle);
    Call c = call(10);
    c.reach = Reach::mantle;
    EXPECT_NE(target_of(engine().offer(c, now)), nullptr);
    Call guarded = call(10);
    guarded.reach = Reach::mantle;
    guarded.guardrail = "gr";
    const Decision d = engine().offer(guarded, now);
    const auto* refusal = std::get_if<Refusal>(&d);
    ASSERT_NE(refusal, nullptr);
    EXPECT_EQ(refusal->reason, RefusalReason::no_target);
}

}  // namespace
}  // namespace weir
