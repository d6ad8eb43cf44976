// Traces played through: what each strategy must get right, and what none may exceed.
#include "plan/strategies.h"
#include "plan/advice.h"
#include "plan/bound.h"
#include "property/random_source.h"
#include "unit/plan/traces.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <functional>

namespace weir::plan {
namespace {

using namespace std::chrono_literals;
using weir::test::Dice;

/// Some minutes of bursty traffic.
std::string traffic(Dice& dice, double seconds, double calls_per_second, bool streams = false) {
    std::string text = "timestamp,input,output,client,stream\n";
    double at = 0;
    double burst = 1;
    double next_change = 0;
    while (at < seconds) {
        if (at >= next_change) {
            burst = dice.one_in(3) ? 1.75 : 0.625;
            next_change = at + 10;
        }
        at += dice.exponential(1 / (calls_per_second * burst));
        const auto input = static_cast<int>(dice.log_normal(1500, 1)) + 1;
        const auto output = static_cast<int>(std::min(4000.0, dice.log_normal(250, 0.8))) + 1;
        text += std::to_string(at) + "," + std::to_string(input) + "," + std::to_string(output) +
                ",c" + std::to_string(dice.below(4)) + "," +
                (streams && dice.one_in(2) ? "1" : "0") + "\n";
    }
    return text;
}

const std::vector<std::function<Result<Outcome>(const Scenario&)>> kStrategies{
    play_weir, [](const Scenario& s) { return play_loop(s, Loop::article); },
    [](const Scenario& s) { return play_loop(s, Loop::sdk_standard); },
    [](const Scenario& s) { return play_loop(s, Loop::sdk_adaptive); }};

const std::vector<WindowShape> kShapes{{},
                                       {.shape = Shape::clock_minute},
                                       {.shape = Shape::bucket},
                                       {.shape = Shape::bucket, .burst = 10s}};

TEST(PlanBound, NoStrategyExceedsIt) {
    const std::uint64_t seed = weir::test::seed_for("plan bound", 5);
    for (std::uint64_t round = 0; round < 12; ++round) {
        Dice dice(seed + round);
        Names names;
        const double load = 0.6 + 0.2 * static_cast<double>(round % 5);
        const bool two = round % 4 == 3;
        const bool fallback = round % 4 == 1;
        Scenario s =
            test::scenario_of(traffic(dice, 600, 2, true), names, 1'000'000,
                              round % 3 == 2 ? std::optional<std::uint64_t>(100) : std::nullopt);
        const Survey seen = survey(s).value();
        const auto quota = static_cast<std::uint64_t>(static_cast<double>(seen.all.settled) /
                                                      seen.minutes() / load);
        s.service.quotas.front().tokens_per_minute = quota;
        s.config.quotas = s.service.quotas;
        if (two) {
            s = with_second_region(s, seen).value_or(Wider{}).scenario;
        }
        if (fallback) {
            s = with_fallback(s, seen).value_or(Wider{}).scenario;
        }
        s.seed = s.service.seed = seed + round;
        for (const WindowShape& shape : kShapes) {
            s.service.window = shape;
            s.deadline = round % 2 == 0 ? 60s : 20s;
            const Bound bound = upper_bound(s, seen).value();
            EXPECT_LE(bound.by_count, 1);
            for (const auto& play : kStrategies) {
                const Outcome o = play(s).value();
                EXPECT_EQ(o.all.calls, seen.all.calls) << o.key;
                EXPECT_EQ(o.all.tokens, seen.all.settled) << o.key;
                EXPECT_LE(static_cast<double>(o.all.served), bound.calls + 1e-6)
                    << o.key << " " << to_string(shape) << " round " << round;
                EXPECT_LE(static_cast<double>(o.all.tokens_served), bound.tokens + 1e-3)
                    << o.key << " " << to_string(shape) << " round " << round;
            }
        }
    }
}

TEST(PlanBound, IsTightWhereItCanBe) {
    // Ten calls of 1,000 tokens a minute for an hour, a quota for five of them.
    std::string text = "timestamp,input,output\n";
    for (int i = 0; i < 600; ++i) {
        text += std::to_string(i * 6) + ",1000,0\n";
    }
    Names names;
    const Scenario s = test::scenario_of(text, names, 5000);
    const Bound bound = upper_bound(s, survey(s).value()).value();
    EXPECT_NEAR(bound.by_count, 0.5 * 61 / 60, 0.002);
    EXPECT_NEAR(bound.by_tokens, 0.5 * 61 / 60, 0.002);
}

TEST(PlanBound, WhatCannotBeInTimeIsServedByNobody) {
    Names names;
    const Scenario s =
        test::scenario_of("timestamp,input,output,stream\n0,1,4000,0\n1,1,4000,1\n", names, {});
    const Bound bound = upper_bound(s, survey(s).value()).value();
    EXPECT_EQ(bound.calls, 1);  // the stream's first token comes soon
    for (const auto& play : kStrategies) {
        EXPECT_EQ(play(s).value().all.served, 1U);
    }
}

TEST(PlanStrategies, OneSeedGivesOneOutcome) {
    Dice dice(weir::test::seed_for("plan seed", 7));
    Names names;
    Scenario s = test::scenario_of(traffic(dice, 900, 2, true), names, 300'000);
    s.service.foreign = 0.2;
    for (const auto& play : kStrategies) {
        const Outcome a = play(s).value();
        const Outcome b = play(s).value();
        EXPECT_EQ(a.all.served, b.all.served);
        EXPECT_EQ(a.all.tokens_served, b.all.tokens_served);
        EXPECT_EQ(a.refusals, b.refusals);
        EXPECT_EQ(a.end, b.end);
        EXPECT_EQ(a.wait.quantile(0.95), b.wait.quantile(0.95));
        EXPECT_EQ(a.pools.front().foreign.served, b.pools.front().foreign.served);
    }
    const Outcome one = play_weir(s).value();
    s.seed = s.service.seed = 99;
    const Outcome other = play_weir(s).value();
    EXPECT_NE(one.pools.front().foreign.calls, other.pools.front().foreign.calls);
}

TEST(PlanStrategies, WithRoomEveryCallIsServedAtOnce) {
    Dice dice(weir::test::seed_for("plan room", 9));
    Names names;
    const Scenario s = test::scenario_of(traffic(dice, 300, 2), names, {});
    for (const auto& play : kStrategies) {
        const Outcome o = play(s).value();
        EXPECT_EQ(o.sends, o.all.calls) << o.key;
        EXPECT_EQ(o.refusals, 0U);
        EXPECT_LE(o.wait.quantile(0.99), 0.012) << o.key;
        EXPECT_FALSE(o.pools.front().tokens_per_minute);
    }
}

TEST(PlanStrategies, AnotherProgramKeepsItsShareInEveryShapeOfMinute) {
    const std::uint64_t seed = weir::test::seed_for("plan another", 31);
    constexpr std::uint64_t kRounds = 6;
    for (const WindowShape& shape : kShapes) {
        double refusals = 0;
        double theirs = 0;
        double ours = 0;
        for (std::uint64_t round = 0; round < kRounds; ++round) {
            Dice dice(seed + round);
            Names names;
            Scenario s = test::scenario_of(traffic(dice, 1800, 5), names, 1'000'000);
            const Survey seen = survey(s).value();
            s.service.quotas.front().tokens_per_minute = static_cast<std::uint64_t>(
                static_cast<double>(seen.all.settled) / seen.minutes() / 0.8);
            s.config.quotas = s.service.quotas;
            s.service.foreign = 0.3;
            s.service.foreign_sizes.mean_input = 2400;
            s.service.foreign_sizes.mean_output = 340;
            s.service.window = shape;
            s.seed = s.service.seed = seed + round;
            const Outcome o = play_weir(s).value();
            const ForeignReport& other = o.pools.front().foreign;
            refusals +=
                static_cast<double>(o.refusals) / static_cast<double>(o.all.served) / kRounds;
            theirs +=
                static_cast<double>(other.settled) / static_cast<double>(other.asked) / kRounds;
            ours += o.all.by_tokens() / kRounds;
        }
        std::printf("%s: by tokens %.3f, the other program %.3f, refusals a success %.4f\n",
                    to_string(shape).c_str(), ours, theirs, refusals);
        EXPECT_LE(refusals, 0.06) << to_string(shape);
        EXPECT_GE(theirs, 0.95) << to_string(shape);
        // Both together ask for 1.1 of the quota, of which max_tokens holds a part in vain.
        EXPECT_GE(ours, 0.65) << to_string(shape);
    }
}

TEST(PlanStrategies, WhatAnEstimateOrTheNetworkLeavesOpenIsNoNewsOfTheWindow) {
    const std::uint64_t seed = weir::test::seed_for("plan margins", 53);
    for (std::uint64_t round = 0; round < 12; ++round) {
        Dice dice(seed + round);
        Names names;
        std::string text = "timestamp,input,output\n";
        for (int at = 0; at < 1800; at += 3) {  // in batches, long inputs among them
            for (std::uint64_t call = dice.below(20); call > 0; --call) {
                const double input = std::min(120'000.0, dice.log_normal(12'000, 1.2));
                text += std::to_string(at) + "," + std::to_string(static_cast<int>(input) + 1) +
                        "," + std::to_string(static_cast<int>(dice.log_normal(340, 0.5)) + 1) +
                        "\n";
            }
        }
        Scenario s = test::scenario_of(text, names, 1'000'000);
        const Survey seen = survey(s).value();
        s.service.quotas.front().tokens_per_minute =
            static_cast<std::uint64_t>(static_cast<double>(seen.all.settled) / seen.minutes());
        s.config.quotas = s.service.quotas;
        s.estimate_spread = 0.1;
        s.seed = s.service.seed = seed + round;
        const Outcome o = play_weir(s).value();
        const double refusals = static_cast<double>(o.refusals) / static_cast<double>(o.all.served);
        std::printf("by tokens %.3f, refusals a success %.4f\n", o.all.by_tokens(), refusals);
        EXPECT_LE(refusals, 0.02);
    }
}

TEST(PlanStrategies, InstancesThatShareAQuotaKeepTheWaitsOfOne) {
    Dice dice(weir::test::seed_for("plan instances", 7));
    Names names;
    Scenario s = test::scenario_of(traffic(dice, 1800, 2), names, 290'000);
    const auto one = play_weir(s);
    ASSERT_TRUE(one.has_value());
    s.instances = 4;
    s.weights = {70, 10, 10, 10};
    const auto four = play_weir(s);
    ASSERT_TRUE(four.has_value());
    std::printf("one: by tokens %.3f, wait %.1f s; four: %.3f, %.1f s\n", one->all.by_tokens(),
                one->wait.quantile(0.5), four->all.by_tokens(), four->wait.quantile(0.5));
    EXPECT_GE(four->all.by_tokens(), one->all.by_tokens() - 0.02);
    EXPECT_LE(four->wait.quantile(0.5), one->wait.quantile(0.5) + 4);
    EXPECT_LE(four->refusals_per_success(), 0.02);
}

TEST(PlanStrategies, ADeadRegionIsLeftAndFoundAgain) {
    Dice dice(weir::test::seed_for("plan outage", 4));
    Names names;
    Scenario s = test::scenario_of(traffic(dice, 900, 2), names, 2'000'000);
    const Wider wider = with_second_region(s, survey(s).value()).value_or(Wider{});
    Scenario two = wider.scenario;
    EXPECT_EQ(wider.added, "us-west-2");
    two.service.outages = {{"us-east-1", 300s, 600s, false}};
    const Outcome weir = play_weir(two).value();
    const Outcome article = play_loop(two, Loop::article).value();
    const OutageReport& report = weir.outages.front();
    EXPECT_GT(report.during.calls, 400U);
    EXPECT_GE(report.during.by_count(), 0.99);
    EXPECT_LE(static_cast<double>(report.sent_into),
              0.05 * static_cast<double>(report.during.calls));
    EXPECT_LE(report.recovered.value_or(1h), 30s);
    EXPECT_EQ(article.outages.front().during.served, 0U);
    EXPECT_EQ(article.unavailable, article.outages.front().sent_into);
    EXPECT_GT(weir.sent_to.at("us-west-2"), 400U);
}

TEST(PlanStrategies, ASpellOfRefusalsIsRiddenOut) {
    Dice dice(weir::test::seed_for("plan spell", 4));
    for (const bool told : {true, false}) {
        Names names;
        Scenario s = test::scenario_of(traffic(dice, 300, 2), names, 2'000'000);
        if (!told) {
            s.config.quotas.clear();
        }
        s.service.outages = {{s.home_region, 100s, 120s, true}};
        const Outcome weir = play_weir(s).value();
        const OutageReport& report = weir.outages.front();
        EXPECT_GT(report.during.calls, 10U);
        EXPECT_EQ(report.during.served, report.during.calls);
        EXPECT_LE(report.most_refusals(), 12U);
        EXPECT_LE(report.back_after().value_or(1h), 5s);
        EXPECT_EQ(weir.outages.front().most_refusals(), weir.refusals);
        const Outcome article = play_loop(s, Loop::article).value();
        EXPECT_GT(article.refusals, 2 * weir.refusals);
    }
}

TEST(PlanStrategies, AFallbackThatSaysLessCutsAnswersShort) {
    Names names;
    Scenario s = test::scenario_of(
        "timestamp,input,output,max_tokens\n0,10,500,1000\n1,10,50,1000\n", names, 1'000'000);
    ModelFacts small;
    small.max_output = 100;
    s.config.models.add("amazon.small", small);
    s.service.models = s.config.models;
    RouteConfig route;
    route.model = test::kModel;
    route.targets = {{"us-east-1", ""}, {"us-east-1", "amazon.small"}};
    route.degrade_after = 0s;
    s.config.routes.push_back(route);
    // The first target lets nothing through for a minute.
    s.service.outages = {};
    s.service.quotas.front().requests_per_minute = 1;
    s.config.quotas = s.service.quotas;
    s.open = test::open_text(
        "timestamp,input,output,max_tokens\n0,10,5,1000\n1,10,500,1000\n2,10,50,1000\n", names);
    const Outcome o = play_weir(s).value();
    EXPECT_EQ(o.all.served, 3U);
    EXPECT_EQ(o.truncated, 1U);
}

TEST(PlanStrategies, EverySdkClientHasARetryQuotaOfItsOwn) {
    // All calls refused: 100 retries of cost 5 empty a bucket of 500.
    std::string text = "timestamp,input,output,client\n";
    for (int i = 0; i < 400; ++i) {
        text += std::to_string(i) + ",1000,1," + (i % 2 == 0 ? "a" : "b") + "\n";
    }
    Names names;
    const Scenario s = test::scenario_of(text, names, 10);
    const Outcome o = play_loop(s, Loop::sdk_standard).value();
    EXPECT_EQ(o.all.served, 0U);
    EXPECT_EQ(o.sends, 400U + 2 * 100U);
    EXPECT_EQ(play_loop(s, Loop::article).value().sends, 5 * 400U);
}

TEST(PlanAdvice, TheArticlesThreeClients) {
    // Peaks of 50, 50 and 75 calls within a minute, at different times.
    std::string text = "timestamp,input,output,client\n";
    const auto burst = [&](int from, int calls, const char* client) {
        for (int i = 0; i < calls; ++i) {
            text += std::to_string(from + i * 59.0 / calls) + ",100,10," + client + "\n";
        }
    };
    burst(0, 50, "a");
    burst(100, 50, "b");
    burst(200, 75, "c");
    burst(400, 20, "c");
    Names names;
    const Scenario s = test::scenario_of(text, names, {}, 150);
    const Advice advice = advise(s, survey(s).value());
    ASSERT_EQ(advice.quotas.size(), 1U);
    const QuotaAdvice& quota = advice.quotas.front();
    EXPECT_EQ(quota.sum_calls, 175U);
    EXPECT_EQ(quota.ask_calls, 200U);
    EXPECT_EQ(quota.sum_tokens, 175U * 150);
    ASSERT_EQ(quota.clients.size(), 3U);
    EXPECT_EQ(quota.clients.front().name, "c");
    EXPECT_EQ(quota.clients.front().peak_calls, 75U);
    EXPECT_EQ(quota.clients.front().calls, 95U);
}

TEST(PlanAdvice, WhatIsAddedTakesWhatDoesNotFit) {
    Dice dice(weir::test::seed_for("plan wider", 6));
    Names names;
    Scenario s = test::scenario_of(traffic(dice, 600, 2), names, 180'000);
    const Survey seen = survey(s).value();
    const double alone = play_weir(s).value().all.by_count();
    EXPECT_LT(alone, 0.8);
    const auto region = with_second_region(s, seen).value_or(Wider{});
    const auto fallback = with_fallback(s, seen).value_or(Wider{});
    EXPECT_EQ(fallback.added, "us.anthropic.claude-haiku-4-5-20251001-v1:0");
    for (const Wider* wider : {&region, &fallback}) {
        const Outcome o = play_weir(wider->scenario).value();
        EXPECT_GT(o.all.by_count(), alone + 0.15) << wider->added;
        EXPECT_EQ(o.pools.size(), 2U);
        EXPECT_EQ(o.pools[1].tokens_per_minute, 180'000U);
    }
    // Nothing of the same kind is left to add.
    EXPECT_FALSE(with_second_region(region.scenario, seen));
    EXPECT_FALSE(with_fallback(fallback.scenario, seen));
    // A caller's key is good in one Region.
    s.config.routes = region.scenario.config.routes;
    s.config.routes.front().targets.resize(1);
    s.config.routes.front().residency = "us";
    EXPECT_TRUE(with_second_region(s, seen));
    s.config.credentials.source = CredentialsSource::client_bearer;
    EXPECT_FALSE(with_second_region(s, seen));
}

TEST(PlanAdvice, RoundsUpToTwoDigits) {
    const std::pair<double, std::uint64_t> cases[] = {
        {0, 0},       {0.3, 1},   {7, 7},     {99, 99},         {101, 110},
        {199.5, 200}, {200, 200}, {201, 210}, {12'345, 13'000}, {1e9, 1'000'000'000}};
    for (const auto& [value, rounded] : cases) {
        EXPECT_EQ(round_up(value), rounded) << value;
    }
}

TEST(PlanAdvice, WhatMaxTokensCosts) {
    // c = 2,000, S = 10 s, M = 64,000, I = 1,000: 63,000 tokens held in vain for a sixth of a
    // minute.
    EXPECT_NEAR(usable_share(2000, 10, 64'000, 1000), 60.0 * 2000 / (120'000 + 630'000), 1e-9);
    EXPECT_EQ(usable_share(2000, 10, 500, 1000), 1);
    Names names;
    std::string text = "timestamp,input,output,max_tokens\n";
    for (int i = 0; i < 1000; ++i) {
        text += std::to_string(i) + ",1000," + std::to_string(i < 997 ? 200 : 400) + ",64000\n";
    }
    const Scenario s = test::scenario_of(text, names, 1'000'000);
    const MaxTokensAdvice most = advise(s, survey(s).value()).max_tokens.at(0);
    EXPECT_NEAR(most.output_p999, 400, 9);
    EXPECT_EQ(most.enough, 610U);
    EXPECT_LT(most.usable, 0.55);
    EXPECT_GT(most.usable_then, 0.99);
}

TEST(PlanSurvey, AShortTraceStandsForTheTimeThatItCovers) {
    Names names;
    std::string text = "timestamp,input,output\n";
    for (int i = 0; i < 300; ++i) {
        text += std::to_string(i / 10) + "." + std::to_string(i % 10) + ",100,10\n";
    }
    const Scenario s = test::scenario_of(text, names, {});
    const Survey seen = survey(s).value();
    EXPECT_NEAR(seen.minutes(), 0.5, 1e-6);
    EXPECT_NEAR(seen.to_a_minute(), 2, 1e-6);
    const QuotaAdvice quota = advise(s, seen).quotas.at(0);
    EXPECT_EQ(quota.sum_calls, 600U);
    EXPECT_EQ(quota.ask_calls, 690U);  // 600 x 1.14, rounded up
    EXPECT_EQ(quota.sum_tokens, 600U * 150);
    // One call says nothing of a rate.
    const Scenario one = test::scenario_of("timestamp,input,output\n0,100,10\n", names, {});
    EXPECT_EQ(advise(one, survey(one).value()).quotas.at(0).sum_calls, 1U);
}

TEST(PlanSurvey, PeaksAreOfAnySixtySeconds) {
    Names names;
    const Scenario s = test::scenario_of(
        "timestamp,input,output\n50,100,1\n59.9,100,1\n70,100,1\n109.9,100,1\n200,100,1\n", names,
        {});
    const Survey seen = survey(s).value();
    EXPECT_EQ(seen.all.peak_calls, 4U);
    EXPECT_EQ(seen.all.peak_settled, 4U * 105);
    EXPECT_EQ(seen.span, 150s);
}

TEST(PlanSurvey, ATraceOfYearsIsRefused) {
    Names names;
    Scenario s = test::scenario_of("timestamp,input,output\n0,1,1\n", names, {});
    s.open = test::open_text("timestamp,input,output\n0,1,1\n9000000,1,1\n", names);
    const auto seen = survey(s);
    ASSERT_FALSE(seen);
    EXPECT_NE(seen.error().message.find("31 days"), std::string::npos);
}

}  // namespace
}  // namespace weir::plan
