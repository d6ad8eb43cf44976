// The dashboard's body and the log queries, held against what CloudWatch documents of them.
#include "aws/dashboard.h"

#include "aws/log_queries.h"

#include "unit/route_target.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cctype>
#include <set>
#include <string>

namespace weir::aws {
namespace {

using weir::test::target;

using Json = nlohmann::json;

const std::chrono::system_clock::time_point kDrawnAt{std::chrono::seconds(1'795'953'600)};

Config configured() {
    Config config;
    config.default_region = "us-east-1";
    RouteConfig route;
    route.model = "us.sonnet";
    route.targets = {target("us-east-1"), target("us-west-2")};
    config.routes = {route};
    QuotaConfig quota;
    quota.models = {"us.sonnet"};
    quota.tokens_per_minute = 200'000;
    config.quotas = {quota};
    return config;
}

/// Titles of the metric widgets; checks each on the way.
std::set<std::string> titles(const Json& body) {
    std::set<std::string> out;
    std::set<std::pair<int, int>> taken;
    EXPECT_LE(body["widgets"].size(), 500U);
    for (const Json& widget : body["widgets"]) {
        const int x = widget["x"];
        const int y = widget["y"];
        const int width = widget["width"];
        const int height = widget["height"];
        EXPECT_LE(x + width, 24);
        for (int i = x; i < x + width; ++i) {
            for (int j = y; j < y + height; ++j) {
                EXPECT_TRUE(taken.emplace(i, j).second) << widget.dump();
            }
        }
        if (widget["type"] == "text") {
            continue;
        }
        EXPECT_EQ(widget["type"], "metric");
        const Json& properties = widget["properties"];
        EXPECT_TRUE(properties["region"].is_string());
        EXPECT_FALSE(properties["metrics"].empty()) << properties.dump();
        EXPECT_EQ(properties["period"].get<int>() % 60, 0);
        EXPECT_EQ(properties.contains("end"),
                  properties["title"].get<std::string>().find("the week to") != std::string::npos);
        std::set<std::string> ids;
        for (const Json& line : properties["metrics"]) {
            const Json& options = line.back();
            EXPECT_TRUE(options.is_object());
            if (options.contains("id")) {
                EXPECT_TRUE(ids.insert(options["id"]).second);
                EXPECT_TRUE(std::islower(options["id"].get<std::string>()[0]));
            }
            if (line.size() == 1) {
                EXPECT_TRUE(options.contains("expression"));
            } else {
                EXPECT_EQ(line.size() % 2, 1U) << line.dump();  // namespace, name, pairs, options
            }
        }
        out.insert(properties["title"]);
    }
    return out;
}

TEST(Dashboard, Throttles429And503HaveWidgetsOfTheirOwn) {
    Config config = configured();
    config.aws.metrics.to = MetricsTo::cloudwatch;
    const auto body = make_dashboard(config, kDrawnAt);
    ASSERT_TRUE(body);
    const auto all = titles(*body);
    for (const char* region : {"us-east-1", "us-west-2"}) {
        const std::string where(region);
        EXPECT_TRUE(all.contains("429 in " + where + " by kind and model"));
        EXPECT_TRUE(all.contains("503 in " + where + " by model"));
        EXPECT_TRUE(all.contains("Quota in use in " + where + ", %"));
        EXPECT_TRUE(all.contains("429 an hour in " + where + ", this week"));
    }
    EXPECT_TRUE(all.contains("Fallbacks by where from"));
    EXPECT_TRUE(all.contains("Tokens that max_tokens held in vain"));
}

TEST(Dashboard, WithoutOwnMetricsItSaysThat503IsNotAlone) {
    const auto body = make_dashboard(configured(), kDrawnAt);
    ASSERT_TRUE(body);
    const auto all = titles(*body);
    EXPECT_TRUE(all.contains("429 in us-east-1 by model"));
    EXPECT_TRUE(all.contains("5xx in us-east-1 by model (503 alone: set aws.metrics)"));
    EXPECT_FALSE(all.contains("Fallbacks by where from"));
}

TEST(Dashboard, TheWeekBeforeHasItsDates) {
    const auto body = make_dashboard(configured(), kDrawnAt);
    ASSERT_TRUE(body);
    std::size_t found = 0;
    for (const Json& widget : (*body)["widgets"]) {
        const Json& properties = widget["properties"];
        if (properties.contains("end")) {
            ++found;
            EXPECT_EQ(properties["start"], "2026-11-15T12:00:00Z");
            EXPECT_EQ(properties["end"], "2026-11-22T12:00:00Z");
        }
    }
    EXPECT_EQ(found, 4U);
}

TEST(Dashboard, NothingToShowIsSaid) {
    EXPECT_FALSE(make_dashboard(Config{}, kDrawnAt));
}

TEST(LogQueries, SortByWhatIsThere) {
    std::set<std::string_view> names;
    for (const LogQuery& query : log_queries()) {
        EXPECT_TRUE(names.insert(query.name).second);
        EXPECT_LE(query.text.size(), 10'000U);
        const std::string text(query.text);
        // After stats only its own fields are there.
        if (text.find("| stats") != std::string::npos || text.starts_with("stats")) {
            EXPECT_EQ(text.find("@timestamp"), std::string::npos) << query.name;
        }
        const auto sort = text.find("| sort ");
        ASSERT_NE(sort, std::string::npos) << query.name;
        const std::string field = text.substr(sort + 7, text.find(' ', sort + 7) - sort - 7);
        EXPECT_NE(text.substr(0, sort).find(field), std::string::npos) << query.name;
        if (text.find("bin(") != std::string::npos) {
            EXPECT_NE(text.find(") as "), std::string::npos) << query.name;
        }
    }
    for (const char* name :
         {"throttles", "unavailable", "unavailable-by-volume", "bedrock-unavailable-by-volume"}) {
        EXPECT_TRUE(names.contains(name)) << name;
    }
}

}  // namespace
}  // namespace weir::aws
