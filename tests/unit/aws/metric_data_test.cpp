// What is said to CloudWatch of a scrape, in which pieces, and what waits when it cannot be said.
#include "aws/metric_data.h"

#include "unit/route_target.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace weir::aws {
namespace {

using weir::test::target;

using Json = nlohmann::json;
using Labels = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kMany = 1000;

Sample counter(const std::string& name, Labels labels, double value) {
    return {Sample::Type::counter, name, std::move(labels), value};
}
Sample gauge(const std::string& name, Labels labels, double value) {
    return {Sample::Type::gauge, name, std::move(labels), value};
}

const Datum* find(const std::vector<Datum>& data, const std::string& name,
                  const Datum::Dimensions& dimensions) {
    const auto at = std::ranges::find_if(
        data, [&](const Datum& one) { return one.name == name && one.dimensions == dimensions; });
    return at == data.end() ? nullptr : &*at;
}

Sample request(const std::string& client, const std::string& outcome, double value) {
    return counter(
        "weir_requests_total",
        {{"model", "m"}, {"operation", "converse"}, {"client", client}, {"outcome", outcome}},
        value);
}

TEST(MetricDeltas, CountersAreWhatWasAddedInTheMinute) {
    MetricDeltas deltas;
    EXPECT_TRUE(deltas.take({request("a", "ok", 100)}, kMany).empty());
    const auto data = deltas.take(
        {request("a", "ok", 103), request("b", "ok", 4), request("a", "throttled", 2)}, kMany);
    // The label that nobody pays for is added up.
    ASSERT_NE(find(data, "Requests", {{"Outcome", "ok"}}), nullptr);
    EXPECT_EQ(find(data, "Requests", {{"Outcome", "ok"}})->values, std::vector<double>{7});
    EXPECT_EQ(find(data, "Requests", {{"Model", "m"}, {"Outcome", "throttled"}})->values,
              std::vector<double>{2});
    EXPECT_EQ(find(data, "Requests", {{"Client", "b"}, {"Outcome", "ok"}})->values,
              std::vector<double>{4});
    // Standing still is nothing to say; a smaller value has begun anew.
    EXPECT_TRUE(deltas.take({request("a", "ok", 103), request("b", "ok", 4)}, kMany).empty());
    const auto restarted = deltas.take({request("a", "ok", 5)}, kMany);
    EXPECT_EQ(find(restarted, "Requests", {{"Outcome", "ok"}})->values, std::vector<double>{5});
}

TEST(MetricDeltas, HistogramsAreValuesWithCounts) {
    MetricDeltas deltas;
    Sample wait{Sample::Type::histogram, "weir_queue_seconds", {{"model", "m"}}, 0};
    const double forever = std::numeric_limits<double>::infinity();
    wait.buckets = {{1, 0}, {3, 0}, {forever, 0}};
    deltas.take({wait}, kMany);
    wait.buckets = {{1, 4}, {3, 6}, {forever, 7}};
    const auto data = deltas.take({wait}, kMany);
    ASSERT_EQ(data.size(), 1U);
    EXPECT_EQ(data[0].name, "Wait");
    EXPECT_EQ(data[0].values, (std::vector<double>{0.5, 2, 3}));
    EXPECT_EQ(data[0].counts, (std::vector<double>{4, 2, 1}));
    EXPECT_TRUE(deltas.take({wait}, kMany).empty());
}

TEST(MetricDeltas, KindsOf429AndThe503HaveSeriesOfTheirOwn) {
    MetricDeltas deltas;
    const auto attempt = [](const std::string& result, double value) {
        return counter(
            "weir_attempts_total",
            {{"account", "default"}, {"region", "r"}, {"model", "m"}, {"result", result}}, value);
    };
    deltas.take({}, kMany);
    const auto data = deltas.take(
        {attempt("throttled_tokens", 3), attempt("unavailable", 1), attempt("server_error", 2)},
        kMany);
    EXPECT_EQ(data.size(), 3U);
    EXPECT_EQ(
        find(data, "Attempts",
             {{"Account", "default"}, {"Model", "m"}, {"Region", "r"}, {"Result", "unavailable"}})
            ->values,
        std::vector<double>{1});
}

TEST(MetricDeltas, SharesAreOfTheirLimit) {
    MetricDeltas deltas;
    const Labels pool{{"account", "default"}, {"region", "r"}, {"model", "m"}, {"kind", "tokens"}};
    const auto data = deltas.take(
        {gauge("weir_quota_used", pool, 150), gauge("weir_quota_limit", pool, 200),
         gauge("weir_quota_used", {{"region", "r"}, {"model", "learned"}, {"kind", "tokens"}}, 1),
         gauge("weir_connections", {{"side", "upstream"}, {"region", "r"}, {"state", "active"}}, 9),
         gauge("weir_connections", {{"side", "upstream"}, {"region", "r"}, {"state", "idle"}}, 90),
         gauge("weir_connections", {{"side", "client"}, {"state", "active"}}, 90),
         gauge("weir_pool_limit", {{"side", "upstream"}, {"region", "r"}}, 10),
         gauge("weir_breaker_state", {{"account", "default"}, {"region", "r"}, {"model", "m"}}, 2)},
        kMany);
    EXPECT_EQ(data.size(), 3U);
    EXPECT_EQ(find(data, "QuotaUse",
                   {{"Account", "default"}, {"Kind", "tokens"}, {"Model", "m"}, {"Region", "r"}})
                  ->values,
              std::vector<double>{75});
    EXPECT_EQ(find(data, "PoolUse", {{"Region", "r"}})->values, std::vector<double>{90});
    EXPECT_EQ(find(data, "BreakerOpen", {{"Account", "default"}, {"Model", "m"}, {"Region", "r"}})
                  ->values,
              std::vector<double>{1});
}

TEST(MetricDeltas, AnotherModelIsADegradedAnswer) {
    MetricDeltas deltas;
    const auto fallback = [](const std::string& model, double value) {
        return counter(
            "weir_fallbacks_total",
            {{"from_region", "a"}, {"from_model", "big"}, {"to_region", "b"}, {"to_model", model}},
            value);
    };
    deltas.take({}, kMany);
    const auto data = deltas.take({fallback("big", 5), fallback("small", 2)}, kMany);
    EXPECT_EQ(find(data, "Fallbacks", {{"FromModel", "big"}, {"FromRegion", "a"}})->values,
              std::vector<double>{7});
    EXPECT_EQ(find(data, "DegradedAnswers", {{"Model", "big"}})->values, std::vector<double>{2});
}

TEST(MetricDeltas, NoMoreSeriesThanArePaidFor) {
    MetricDeltas deltas;
    deltas.take({}, 3);
    std::vector<Sample> many;
    for (int i = 0; i < 10; ++i) {
        many.push_back(counter("weir_rescued_total", {{"model", "m" + std::to_string(i)}}, 1));
    }
    EXPECT_EQ(deltas.take(many, 3).size(), 3U);
    EXPECT_EQ(deltas.left_out(), 7U);
    for (Sample& one : many) {
        one.value = 2;
    }
    const auto again = deltas.take(many, 3);
    ASSERT_EQ(again.size(), 3U);  // the same ones
    EXPECT_EQ(again[0].dimensions[0].second, "m0");
    EXPECT_EQ(deltas.series(), 3U);
}

TEST(MetricDeltas, WhatNobodyAskedForIsNotSent) {
    MetricDeltas deltas;
    deltas.take({}, kMany);
    EXPECT_TRUE(deltas
                    .take({counter("process_cpu_seconds_total", {}, 9),
                           counter("weir_unknown_headers_total", {}, 9)},
                          kMany)
                    .empty());
}

TEST(MetricDeltas, DimensionsAreWhatTheServiceTakes) {
    MetricDeltas deltas;
    deltas.take({}, kMany);
    const auto data =
        deltas.take({counter("weir_rescued_total", {{"model", ""}}, 1),
                     counter("weir_rescued_total", {{"model", ":a\xc3\xa9"}}, 1),
                     counter("weir_rescued_total", {{"model", std::string(400, 'x')}}, 1)},
                    kMany);
    ASSERT_EQ(data.size(), 3U);
    for (const Datum& datum : data) {
        const std::string& value = datum.dimensions[0].second;
        EXPECT_FALSE(value.empty());
        EXPECT_LE(value.size(), 255U);
        EXPECT_NE(value[0], ':');
        EXPECT_TRUE(std::ranges::all_of(value, [](char c) { return c >= ' ' && c <= '~'; }));
    }
}

TEST(PutMetricData, IsCutAsTheServiceAllows) {
    std::vector<Datum> data;
    for (int i = 0; i < 2500; ++i) {
        data.push_back({"Requests", {{"Model", std::to_string(i)}}, "Count", {1}, {}});
    }
    const auto small = put_metric_data(data, "Weir", 1'800'000'000);
    ASSERT_EQ(small.size(), 3U);
    EXPECT_EQ(small[0]["MetricData"].size(), 1000U);
    EXPECT_EQ(small[0]["MetricData"][0]["Value"], 1);
    EXPECT_EQ(small[0]["MetricData"][0]["Timestamp"], 1'800'000'000);
    for (Datum& datum : data) {
        datum.dimensions.assign(10, {std::string(200, 'n'), std::string(250, 'v')});
    }
    std::size_t sum = 0;
    for (const Json& call : put_metric_data(data, "Weir", 1)) {
        EXPECT_LT(call.dump().size(), 1'000'000U);
        sum += call["MetricData"].size();
    }
    EXPECT_EQ(sum, data.size());
    EXPECT_TRUE(put_metric_data({}, "Weir", 1).empty());
}

TEST(Emf, LinesAreOneForEachSetOfDimensions) {
    const std::vector<Datum> data{{"Wait", {{"Model", "m"}}, "Seconds", {0.5, 2}, {4, 1}},
                                  {"Rescued", {{"Model", "m"}}, "Count", {3}, {}},
                                  {"CredentialsExpiry", {}, "Seconds", {60}, {}}};
    const auto lines = emf_lines(data, "Weir", 1'800'000'000'000);
    ASSERT_EQ(lines.size(), 2U);
    const Json plain = Json::parse(lines[0]);
    EXPECT_EQ(plain["CredentialsExpiry"], 60);
    const Json line = Json::parse(lines[1]);
    EXPECT_EQ(line["Model"], "m");
    EXPECT_EQ(line["Rescued"], 3);
    EXPECT_EQ(line["Wait"], Json({0.5, 0.5, 0.5, 0.5, 2.0}));
    const Json& directive = line["_aws"]["CloudWatchMetrics"][0];
    EXPECT_EQ(directive["Namespace"], "Weir");
    EXPECT_EQ(directive["Dimensions"], Json::parse(R"([["Model"]])"));
    EXPECT_EQ(directive["Metrics"].size(), 2U);
    EXPECT_EQ(line["_aws"]["Timestamp"], 1'800'000'000'000);
}

TEST(Emf, ManyValuesAreInProportion) {
    const std::vector<Datum> data{{"Wait", {}, "Seconds", {1, 2}, {75'000, 25'000}}};
    const Json line = Json::parse(emf_lines(data, "Weir", 1).at(0));
    const auto values = line["Wait"].get<std::vector<double>>();
    EXPECT_EQ(values.size(), 100U);
    EXPECT_EQ(std::ranges::count(values, 1.0), 75);
}

TEST(MetricQueue, BacksOffAndTriesAgain) {
    MetricQueue queue;
    EXPECT_EQ(queue.next(0), nullptr);
    queue.push({{"n", 1}}, 10);
    queue.push({{"n", 2}}, 20);
    ASSERT_NE(queue.next(100), nullptr);
    queue.failed(100, true);
    EXPECT_EQ(queue.next(129), nullptr);
    ASSERT_NE(queue.next(130), nullptr);
    EXPECT_EQ((*queue.next(130))["n"], 1);
    queue.failed(130, true);
    EXPECT_EQ(queue.next(189), nullptr);
    ASSERT_NE(queue.next(190), nullptr);
    std::int64_t now = 190;
    for (int i = 0; i < 20; ++i) {
        queue.failed(now, true);
        EXPECT_NE(queue.next(now + 15 * 60), nullptr);
        now += 15 * 60;
    }
    queue.sent();
    EXPECT_NE(queue.next(now), nullptr);  // it works again: at once
    queue.sent();
    EXPECT_EQ(queue.data_sent(), 30U);
    EXPECT_EQ(queue.data_dropped(), 0U);
}

TEST(MetricQueue, DropsTheOldestAndWhatCannotBeMended) {
    MetricQueue queue;
    for (int i = 0; i < 70; ++i) {
        queue.push({{"n", i}}, 1);
    }
    EXPECT_EQ(queue.waiting(), MetricQueue::kMost);
    EXPECT_EQ(queue.data_dropped(), 10U);
    EXPECT_EQ((*queue.next(0))["n"], 10);
    queue.failed(0, false);
    EXPECT_EQ(queue.data_dropped(), 11U);
    EXPECT_EQ((*queue.next(1000))["n"], 11);
}

TEST(MetricPrice, IsOfTheSeriesAndNeverOverTheLimit) {
    Config config;
    RouteConfig route;
    route.model = "m";
    route.targets = {target("us-east-1"), target("us-west-2")};
    config.routes = {route};
    const std::size_t one = expected_series(config);
    EXPECT_GT(one, 20U);
    config.clients.resize(5);
    EXPECT_GT(expected_series(config), one);
    config.aws.metrics.max_series = 10;
    EXPECT_EQ(expected_series(config), 10U);
    EXPECT_NE(price_of_metrics(config).find("about 10 series, 3.00 USD a month"), std::string::npos)
        << price_of_metrics(config);
}

}  // namespace
}  // namespace weir::aws
