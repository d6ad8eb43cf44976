// Which alarms a configuration calls for, and how existing ones are told from them.
#include "aws/alarms.h"

#include "aws/drill.h"
#include "aws/watched.h"

#include "unit/given.h"
#include "unit/route_target.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace weir::aws {
namespace {

using weir::test::target;

using Json = nlohmann::json;

Config two_regions() {
    Config config;
    config.default_region = "us-east-1";
    config.regions = {{"us-east-1", {}}, {"us-west-2", {}}};
    RouteConfig route;
    route.model = kSonnet;
    route.targets = {target("us-east-1"), target("us-west-2"), target("us-east-1", kHaiku)};
    config.routes = {route};
    QuotaConfig quota;
    quota.models = {kSonnet};
    quota.region = "us-east-1";
    quota.tokens_per_minute = 200'000;
    quota.requests_per_minute = 200;
    config.quotas = {quota};
    return config;
}

Config with_own_metrics() {
    Config config = two_regions();
    config.aws.metrics.to = MetricsTo::cloudwatch;
    return config;
}

std::vector<Alarm> made(const Config& config) {
    auto alarms = make_alarms(config);
    EXPECT_TRUE(alarms) << alarms.error().message;
    return alarms ? *alarms : std::vector<Alarm>{};
}

const Alarm* find(const std::vector<Alarm>& alarms, const std::string& name,
                  const std::string& region) {
    const auto at = std::ranges::find_if(
        alarms, [&](const Alarm& one) { return one.name == name && one.region == region; });
    return at == alarms.end() ? nullptr : &*at;
}

TEST(Alarms, EachRegionAndModelHasItsOwn) {
    const auto alarms = made(two_regions());
    for (const auto& [region, model] :
         {std::pair{"us-east-1", kSonnet}, {"us-west-2", kSonnet}, {"us-east-1", kHaiku}}) {
        for (const char* kind : {"throttles", "steady-throttles", "success"}) {
            EXPECT_NE(find(alarms, std::string("weir-") + kind + "-" + model, region), nullptr)
                << kind << " of " << model << " in " << region;
        }
    }
    EXPECT_EQ(find(alarms, "weir-throttles-" + kHaiku, "us-west-2"), nullptr);
    // Without weir's own metrics nothing tells 503 apart.
    EXPECT_EQ(find(alarms, "weir-availability", "us-east-1"), nullptr);
}

TEST(Alarms, ThrottlesAreTheArticles) {
    const auto alarms = made(two_regions());
    const Json& many = find(alarms, "weir-throttles-" + kSonnet, "us-east-1")->input;
    EXPECT_EQ(many["Namespace"], "AWS/Bedrock");
    EXPECT_EQ(many["MetricName"], "InvocationThrottles");
    EXPECT_EQ(many["Dimensions"],
              Json::parse(R"([{"Name":"ModelId","Value":")" + kSonnet + R"("}])"));
    EXPECT_EQ(many["Statistic"], "Sum");
    EXPECT_EQ(many["Period"], 300);
    EXPECT_EQ(many["Threshold"], 10);
    const Json& steady = find(alarms, "weir-steady-throttles-" + kSonnet, "us-east-1")->input;
    EXPECT_EQ(steady["Period"], 60);
    EXPECT_EQ(steady["EvaluationPeriods"], 3);
    EXPECT_EQ(steady["DatapointsToAlarm"], 3);
    EXPECT_EQ(steady["Threshold"], 0);
}

TEST(Alarms, SuccessCountsThrottlesAmongTheRequestsAndNotAmongTheAccepted) {
    const auto alarms = made(two_regions());
    const Json& input = find(alarms, "weir-success-" + kSonnet, "us-east-1")->input;
    std::string expression;
    for (const Json& one : input["Metrics"]) {
        if (one.contains("Expression")) {
            expression = one["Expression"];
            EXPECT_TRUE(one["ReturnData"]);
        } else {
            EXPECT_FALSE(one["ReturnData"]);
            EXPECT_EQ(one["MetricStat"]["Period"], 600);
        }
    }
    EXPECT_EQ(expression,
              "IF((FILL(a0,0)+FILL(t0,0))>=20,100*(FILL(a0,0)-FILL(s0,0))/(FILL(a0,0)+FILL(t0,0)),"
              "100)");
    EXPECT_EQ(input["Threshold"], 95);
}

TEST(Alarms, QuotasOfAPoolAreSummed) {
    Config config = two_regions();
    config.quotas[0].models = {kSonnet, kHaiku};
    const auto alarms = made(config);
    const Json& input = find(alarms, "weir-token-quota-" + kSonnet, "us-east-1")->input;
    EXPECT_EQ(input["Metrics"].size(), 3U);
    EXPECT_EQ(input["Metrics"].back()["Expression"], "100*(FILL(m0,0)+FILL(m1,0))/200000");
    EXPECT_EQ(input["Threshold"], 80);
    EXPECT_NE(find(alarms, "weir-request-quota-" + kSonnet, "us-east-1"), nullptr);
    config.quotas[0].models.assign(11, kSonnet);
    EXPECT_FALSE(make_alarms(config));
}

TEST(Alarms, OwnMetricsTell503AndWhatClientsGet) {
    const auto alarms = made(with_own_metrics());
    // Of every Region, where weir's metrics are.
    EXPECT_NE(find(alarms, "weir-unavailable-us-west-2-" + kSonnet, "us-east-1"), nullptr);
    EXPECT_NE(find(alarms, "weir-pool-saturation-us-west-2", "us-east-1"), nullptr);
    const Alarm* availability = find(alarms, "weir-availability", "us-east-1");
    ASSERT_NE(availability, nullptr);
    EXPECT_EQ(availability->severity, Severity::critical);
    Config nowhere = with_own_metrics();
    nowhere.default_region.clear();
    EXPECT_FALSE(make_alarms(nowhere));
    nowhere.aws.metrics.region = "eu-west-1";
    EXPECT_NE(find(made(nowhere), "weir-availability", "eu-west-1"), nullptr);
}

TEST(Alarms, OneOutageIsOnePage) {
    const auto alarms = made(with_own_metrics());
    std::set<std::string> in_rules;
    std::size_t composites = 0;
    for (const Alarm& alarm : alarms) {
        if (alarm.composite) {
            ++composites;
            EXPECT_EQ(alarm.input.contains("ActionsSuppressor"),
                      alarm.region == "us-east-1" ? alarm.severity != Severity::critical
                                                  : alarm.severity != Severity::warning)
                << alarm.name << " in " << alarm.region;
        }
    }
    EXPECT_EQ(composites, 5U);  // three, and two where weir's own metrics are not
    for (const Alarm& alarm : alarms) {
        if (!alarm.composite) {
            const Alarm* parent =
                find(alarms, "weir-" + std::string(to_string(alarm.severity)), alarm.region);
            ASSERT_NE(parent, nullptr);
            EXPECT_NE(
                parent->input["AlarmRule"].get<std::string>().find("ALARM(\"" + alarm.name + "\")"),
                std::string::npos);
        }
    }
}

TEST(Alarms, CompositesAreCutWhereTheServiceAllowsNoMore) {
    Config config = two_regions();
    for (int i = 0; i < 250; ++i) {
        RouteConfig route;
        route.model = "anthropic.model-" + std::to_string(i);
        route.targets = {target("us-east-1")};
        config.routes.push_back(route);
    }
    const auto alarms = made(config);
    std::size_t children = 0;
    for (const Alarm& alarm : alarms) {
        if (alarm.composite) {
            const std::string rule = alarm.input["AlarmRule"];
            EXPECT_LE(rule.size(), 10'240U);
            std::size_t count = 0;
            for (auto at = rule.find("ALARM("); at != std::string::npos;
                 at = rule.find("ALARM(", at + 1)) {
                ++count;
            }
            EXPECT_LE(count, 100U);
            children += count;
        }
    }
    EXPECT_EQ(children,
              static_cast<std::size_t>(std::ranges::count(alarms, false, &Alarm::composite)));
}

TEST(Alarms, DescriptionsSayWhatToDoAndNothingOfAnybody) {
    Config config = with_own_metrics();
    config.aws.alarms.runbooks = "https://wiki.example/runbooks/";
    ClientConfig client;
    client.name = "secretive-customer";
    config.clients = {client};
    for (const Alarm& alarm : made(config)) {
        const std::string text = alarm.input["AlarmDescription"];
        EXPECT_LE(text.size(), 1024U);
        EXPECT_EQ(text.find("secretive"), std::string::npos);
        if (!alarm.composite) {
            EXPECT_NE(text.find("First:"), std::string::npos) << text;
            EXPECT_NE(text.find("https://wiki.example/runbooks/" + alarm.runbook + ".md"),
                      std::string::npos)
                << text;
        }
    }
}

TEST(Alarms, EachKindHasARunbook) {
    const std::filesystem::path folder = std::filesystem::path(WEIR_SOURCE_DIR) / "docs/runbooks";
    std::ifstream index(folder / "README.md");
    std::stringstream text;
    text << index.rdbuf();
    for (const std::string& kind : alarm_kinds()) {
        std::ifstream page(folder / (kind + ".md"));
        ASSERT_TRUE(page) << kind;
        std::stringstream content;
        content << page.rdbuf();
        for (const char* heading : {"## What it means", "## What to look at first",
                                    "## What weir has done already", "## What to do"}) {
            EXPECT_NE(content.str().find(heading), std::string::npos) << kind << ": " << heading;
        }
        EXPECT_NE(text.str().find("(" + kind + ".md)"), std::string::npos) << kind;
    }
    for (const Alarm& alarm : made(with_own_metrics())) {
        EXPECT_TRUE(std::filesystem::exists(folder / (alarm.runbook + ".md"))) << alarm.name;
    }
}

TEST(Alarms, NothingToWatchIsSaid) {
    Config config;
    const auto alarms = make_alarms(config);
    ASSERT_FALSE(alarms);
    EXPECT_NE(alarms.error().message.find("routes"), std::string::npos);
}

TEST(Alarms, TargetsOfOtherAccountsAloneAreNothingToWatchWithoutOwnMetrics) {
    Config config = two_regions();
    config.routes[0].targets = {target("us-east-1", "", "prod")};
    config.quotas.clear();
    const auto alarms = make_alarms(config);
    ASSERT_FALSE(alarms);
    EXPECT_NE(alarms.error().message.find("`accounts`"), std::string::npos);
}

TEST(Alarms, AnArnIsWatchedByItsLastPartAndOtherAccountsByWeirAlone) {
    Config config = with_own_metrics();
    config.routes[0].targets = {
        target("us-east-1",
               "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"),
        target("us-east-1", "", "prod")};
    config.quotas.clear();
    const auto alarms = made(config);
    EXPECT_NE(find(alarms, "weir-throttles-abc", "us-east-1"), nullptr);
    EXPECT_EQ(find(alarms, "weir-throttles-" + kSonnet, "us-east-1"), nullptr);
    EXPECT_NE(find(alarms, "weir-unavailable-prod-us-east-1-" + kSonnet, "us-east-1"), nullptr);
}

TEST(Alarms, MathIsPaidForByTheMetric) {
    Alarm plain;
    plain.input = {{"MetricName", "x"}};
    Alarm composite;
    composite.composite = true;
    Alarm math;
    math.input["Metrics"] = Json::parse(
        R"([{"Id":"a","MetricStat":{}},{"Id":"b","MetricStat":{}},{"Id":"e","Expression":"a+b"}])");
    EXPECT_DOUBLE_EQ(monthly_price({plain, composite, math}), 0.1 + 0.5 + 0.2);
}

TEST(Topics, AreOfTheAlarmsRegion) {
    Config config = two_regions();
    const std::string named = "arn:aws:sns:us-west-2:123456789012:chat";
    config.aws.alarms.warning = {"email:ops@example.com", named,
                                 "https://events.pagerduty.com/integration/x/enqueue"};
    const auto topics = make_topics(config, made(config));
    ASSERT_TRUE(topics) << topics.error().message;
    ASSERT_EQ(topics->size(), 3U);
    std::size_t ours = 0;
    for (const Topic& topic : *topics) {
        if (topic.name.empty()) {
            EXPECT_EQ(topic.arn, named);
            EXPECT_EQ(topic.region, "us-west-2");
        } else {
            ++ours;
            EXPECT_EQ(topic.name, "weir-warning");
            ASSERT_EQ(topic.subscriptions.size(), 2U);
            EXPECT_EQ(topic.subscriptions[0], (Topic::Subscription{"email", "ops@example.com"}));
            EXPECT_EQ(topic.subscriptions[1].protocol, "https");
        }
    }
    EXPECT_EQ(ours, 2U);
    config.aws.alarms.warning = {"arn:aws:sns:eu-west-1:123456789012:chat"};
    EXPECT_FALSE(make_topics(config, made(config)));
}

TEST(Difference, IsOfMeaningAndNotOfOrder) {
    const Json wanted = Json::parse(R"({"AlarmName":"a","Threshold":10,"AlarmActions":[],
        "Dimensions":[{"Name":"A","Value":"1"},{"Name":"B","Value":"2"}]})");
    Json existing = Json::parse(R"({"AlarmName":"a","Threshold":10.0,"StateValue":"OK",
        "Dimensions":[{"Name":"B","Value":"2"},{"Name":"A","Value":"1"}]})");
    EXPECT_EQ(difference(wanted, existing), "");
    existing["Threshold"] = 5.0;
    EXPECT_EQ(difference(wanted, existing), "Threshold 5.0 -> 10");
    existing["Threshold"] = 10;
    existing["AlarmActions"] = {"arn:x"};
    EXPECT_EQ(difference(wanted, existing), "AlarmActions");
    existing.erase("AlarmActions");
    existing["Dimensions"][0]["Value"] = "3";
    EXPECT_EQ(difference(wanted, existing), "Dimensions");
}

TEST(Difference, MathInsteadOfAMetricIsOne) {
    const Json wanted = Json::parse(R"({"Metrics":[{"Id":"e"}]})");
    const Json existing = Json::parse(R"({"MetricName":"x","Metrics":[{"Id":"e","Label":"l"}]})");
    EXPECT_EQ(difference(wanted, existing), "MetricName");
}

TEST(Tags, AreOfThePrefix) {
    Config config;
    EXPECT_TRUE(has_own_tag(config, own_tags(config)));
    Config other;
    other.aws.alarms.prefix = "weir-test";
    EXPECT_FALSE(has_own_tag(config, own_tags(other)));
    EXPECT_FALSE(has_own_tag(config, Json()));
    EXPECT_FALSE(has_own_tag(config, Json::parse(R"([1, {"Key": 3}, {}])")));
}

TEST(Drills, TheLesserComeFirst) {
    const auto drills = choose_drills(made(with_own_metrics()), "");
    ASSERT_EQ(drills.size(), 5U);
    EXPECT_EQ(drills.front().composite.severity, Severity::info);
    EXPECT_EQ(drills.back().composite.severity, Severity::critical);
    for (const Drill& drill : drills) {
        EXPECT_FALSE(drill.alarm.composite);
        EXPECT_EQ(drill.alarm.region, drill.composite.region);
    }
    const auto one = choose_drills(made(with_own_metrics()), "weir-throttles-" + kHaiku);
    ASSERT_EQ(one.size(), 1U);
    EXPECT_EQ(one[0].alarm.name, "weir-throttles-" + kHaiku);
    EXPECT_TRUE(choose_drills(made(with_own_metrics()), "nothing").empty());
}

}  // namespace
}  // namespace weir::aws
