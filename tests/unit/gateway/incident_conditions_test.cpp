// Which incidents the gateway's state calls for.
#include "gateway/incident_conditions.h"

#include "unit/route_target.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using weir::test::target;

struct IncidentConditionsTest : ::testing::Test {
    IncidentConditionsTest() {
        RouteConfig route;
        route.model = "big";
        route.targets = {target("east"), target("west")};
        config.routes = {route};
        for (const char* region : {"east", "west"}) {
            TargetStatus target;
            target.region = region;
            target.model = "big";
            status.targets.push_back(target);
        }
    }
    std::vector<std::string> keys() {
        std::vector<std::string> out;
        conditions = watch.update(config, status, samples, expiry, now);
        for (const auto& one : conditions) {
            out.push_back(one.key);
        }
        now += 10;
        return out;
    }
    static aws::Sample count(const std::string& name, aws::Datum::Dimensions labels, double value) {
        return {aws::Sample::Type::counter, name, std::move(labels), value};
    }

    Config config;
    Status status;
    std::vector<aws::Sample> samples;
    std::optional<double> expiry;
    std::int64_t now = 1'800'000'000;
    IncidentConditions watch;
    std::vector<aws::Condition> conditions;
};

TEST_F(IncidentConditionsTest, ARouteWithATargetIsWell) {
    EXPECT_TRUE(keys().empty());
    status.targets[0].breaker = BreakerState::open;
    EXPECT_TRUE(keys().empty());
    status.targets[1].breaker = BreakerState::half_open;
    EXPECT_TRUE(keys().empty());
    status.targets.pop_back();  // never used: nothing is known against it
    EXPECT_TRUE(keys().empty());
}

TEST_F(IncidentConditionsTest, ARouteWithoutOneTellsWhy) {
    samples = {count("weir_attempts_total", {{"region", "east"}, {"result", "unavailable"}}, 3)};
    EXPECT_TRUE(keys().empty());
    status.targets[0].breaker = BreakerState::open;
    status.targets[1].misconfigured = true;
    status.targets[1].misconfigured_for_all = true;
    samples[0].value = 10;
    ASSERT_EQ(keys(), std::vector<std::string>{"no_target/big"});
    const auto& data = conditions[0].data;
    EXPECT_EQ(data["targets"][0]["state"], "breaker open");
    EXPECT_EQ(data["targets"][1]["state"], "misconfigured");
    EXPECT_EQ(data["last_5_minutes"]["attempts_by_region_and_result"]["east unavailable"], 7);
    EXPECT_EQ(data["error_types"][0], "east unavailable");
    status.targets[1].misconfigured_for_all = false;  // for one client
    EXPECT_TRUE(keys().empty());
}

TEST_F(IncidentConditionsTest, TargetsGoByTheNamesThatTheirCallsHave) {
    config.routes[0].model = "us.big";
    config.routes[0].targets[0].account = "default";
    config.routes[0].targets[1].endpoint = Endpoint::mantle;
    status.targets[0].model = "us.big";
    status.targets[1].endpoint = Endpoint::mantle;  // whose models have no prefix
    for (TargetStatus& one : status.targets) {
        one.breaker = BreakerState::open;
    }
    EXPECT_EQ(keys(), std::vector<std::string>{"no_target/us.big"});
    status.targets[1].tier = Tier::flex;  // another target
    EXPECT_TRUE(keys().empty());
}

TEST_F(IncidentConditionsTest, ADaysQuotaAndDyingCredentials) {
    status.targets[0].daily_closed = true;
    expiry = 299;
    EXPECT_EQ(keys(), (std::vector<std::string>{"day//east/big", "credentials"}));
    expiry = 301;
    EXPECT_EQ(keys(), std::vector<std::string>{"day//east/big"});
}

TEST_F(IncidentConditionsTest, ClientsFailuresBurnAndTheirOwnErrorsDoNot) {
    config.aws.alarms.success_percent = 95;
    const auto minutes = [&](const std::string& outcome) {
        double value = 0;
        bool burns = false;
        for (int i = 0; i < 60; ++i) {
            value += 20;
            samples = {count("weir_requests_total", {{"outcome", outcome}}, value)};
            burns = !keys().empty() || burns;
        }
        return burns;
    };
    EXPECT_FALSE(minutes("ok"));
    watch = {};
    EXPECT_FALSE(minutes("client_error"));
    watch = {};
    EXPECT_TRUE(minutes("throttled"));
    EXPECT_EQ(conditions.at(0).key, "slo");
}

}  // namespace
}  // namespace weir::gateway
