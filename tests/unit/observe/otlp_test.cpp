// OTLP's JSON, as the specification has it.
#include "observe/otlp.h"
#include "observe/gen_ai_metrics.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace weir::observe {
namespace {

using nlohmann::json;

OtlpResource resource() {
    return {"gate", "weir-1", "9.9", {{"team", "red"}, {"service.version", "mine"}}};
}

Span sample() {
    Span span;
    span.trace = {0x0af7651916cd43ddULL, 0x8448eb211c80319cULL};
    span.id = 0xb7ad6b7169203331ULL;
    span.flags = 1;
    span.name = "chat m";
    span.start_unix_ns = 1'790'000'000'123'456'789;
    span.end_unix_ns = span.start_unix_ns + 1;
    span.attributes = {{"a", std::string("b")}, {"i", std::int64_t{7}}, {"d", 0.5}, {"f", true}};
    return span;
}

json only(const json& list) {
    EXPECT_EQ(list.size(), 1U);
    return list.at(0);
}

TEST(Otlp, ASpan) {
    const Span span = sample();
    const json body = json::parse(otlp_traces(resource(), {&span, 1}));
    const json all = only(body["resourceSpans"]);
    EXPECT_EQ(all["resource"]["attributes"],
              json::parse(R"([{"key":"service.instance.id","value":{"stringValue":"weir-1"}},
                              {"key":"service.name","value":{"stringValue":"gate"}},
                              {"key":"service.version","value":{"stringValue":"mine"}},
                              {"key":"team","value":{"stringValue":"red"}}])"));
    const json scope = only(all["scopeSpans"]);
    EXPECT_EQ(scope["scope"], json::parse(R"({"name":"weir","version":"9.9"})"));
    EXPECT_EQ(only(scope["spans"]), json::parse(R"({"traceId":"0af7651916cd43dd8448eb211c80319c",
                  "spanId":"b7ad6b7169203331","flags":1,"name":"chat m","kind":2,
                  "startTimeUnixNano":"1790000000123456789","endTimeUnixNano":"1790000000123456790",
                  "attributes":[{"key":"a","value":{"stringValue":"b"}},
                                {"key":"i","value":{"intValue":"7"}},
                                {"key":"d","value":{"doubleValue":0.5}},
                                {"key":"f","value":{"boolValue":true}}]})"));
}

TEST(Otlp, WhatASpanMayHaveBesides) {
    Span span = sample();
    span.parent = 0x1;
    span.state = "rojo=1";
    span.status = SpanStatus::error;
    span.events = {{"weir.wait", 5, {{"x", std::string("y")}}}};
    span.name = "bad \xff bytes";
    const auto read = [&] {
        return json::parse(
            otlp_traces(resource(), {&span, 1}))["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    };
    json out = read();
    EXPECT_EQ(out["parentSpanId"], "0000000000000001");
    EXPECT_EQ(out["traceState"], "rojo=1");
    EXPECT_EQ(out["status"], json::parse(R"({"code":2})"));
    EXPECT_EQ(out["flags"], 0x301) << "the parent is another process's";
    EXPECT_EQ(out["name"], "bad \xef\xbf\xbd bytes");
    EXPECT_EQ(only(out["events"]), json::parse(R"({"timeUnixNano":"5","name":"weir.wait",
                              "attributes":[{"key":"x","value":{"stringValue":"y"}}]})"));
    span.kind = SpanKind::client;
    out = read();
    EXPECT_EQ(out["kind"], 3);
    EXPECT_EQ(out["flags"], 0x101);
}

json metrics_of(const std::vector<prometheus::MetricFamily>& families,
                std::span<const OtlpHistogram> histograms, std::uint64_t points) {
    const OtlpMetrics made = otlp_metrics(resource(), {100, 200}, families, histograms);
    EXPECT_EQ(made.points, points);
    return json::parse(made.body)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
}

TEST(Otlp, FamiliesOfAScrape) {
    prometheus::MetricFamily counter{
        "weir_requests_total", "Requests.", prometheus::MetricType::Counter, {{}}};
    counter.metric[0].label = {{"model", "m"}};
    counter.metric[0].counter.value = 3;
    prometheus::MetricFamily gauge{"weir_waiting", "", prometheus::MetricType::Gauge, {{}}};
    gauge.metric[0].gauge.value = 2;
    prometheus::MetricFamily histogram{
        "weir_request_seconds", "", prometheus::MetricType::Histogram, {{}}};
    histogram.metric[0].histogram = {6, 4.5, {{2, 0.5}, {5, 1}, {6, INFINITY}}};
    const prometheus::MetricFamily empty{"weir_none", "", prometheus::MetricType::Gauge, {}};
    const json metrics = metrics_of({counter, gauge, histogram, empty}, {}, 3);
    ASSERT_EQ(metrics.size(), 3U);
    EXPECT_EQ(metrics[0], json::parse(R"({"name":"weir_requests_total","description":"Requests.",
        "sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asDouble":3.0,
        "attributes":[{"key":"model","value":{"stringValue":"m"}}],
        "startTimeUnixNano":"100","timeUnixNano":"200"}]}})"));
    EXPECT_EQ(metrics[1], json::parse(R"({"name":"weir_waiting","description":"",
        "gauge":{"dataPoints":[{"asDouble":2.0,"attributes":[],"timeUnixNano":"200"}]}})"));
    EXPECT_EQ(metrics[2], json::parse(R"({"name":"weir_request_seconds","description":"","unit":"s",
        "histogram":{"aggregationTemporality":2,"dataPoints":[{"count":"6","sum":4.5,
        "bucketCounts":["2","3","1"],"explicitBounds":[0.5,1.0],"attributes":[],
        "startTimeUnixNano":"100","timeUnixNano":"200"}]}})"));
}

TEST(Otlp, TheConventionsHistograms) {
    std::map<GenAiNames, GenAiTally> tallies;
    tallies[{"chat", "m", "m", ""}].observe(0.02, 0.004, {10, 5, 3, 3, true});
    tallies[{"chat", "m", "", "throttled"}].observe(100, -1, Usage());
    tallies[{"chat", "m", "", "deadline"}].observe(1, 2, Usage());
    const auto histograms = gen_ai_histograms(tallies);
    ASSERT_EQ(histograms.size(), 3U);
    EXPECT_EQ(histograms[0].name, "gen_ai.client.token.usage");
    ASSERT_EQ(histograms[0].points.size(), 2U);
    const auto& input = histograms[0].points[0];
    EXPECT_EQ(input.sum, 16) << "with what was cached";
    EXPECT_EQ(input.counts[2], 1U) << "up to 16";
    EXPECT_EQ(input.attributes.back(), (OtlpAttribute{"gen_ai.token.type", std::string("input")}));
    EXPECT_EQ(histograms[1].name, "gen_ai.client.operation.duration");
    ASSERT_EQ(histograms[1].points.size(), 3U);
    EXPECT_EQ(histograms[1].points[1].attributes.back(),
              (OtlpAttribute{"error.type", std::string("throttled")}));
    EXPECT_EQ(histograms[1].points[1].counts.back(), 1U) << "above all bounds";
    EXPECT_EQ(histograms[2].name, "gen_ai.server.time_to_first_token");
    ASSERT_EQ(histograms[2].points.size(), 2U);

    const json metrics = metrics_of({}, histograms, 7);
    const json point = metrics[1]["histogram"]["dataPoints"][2];
    EXPECT_EQ(point["count"], "1");
    EXPECT_EQ(point["bucketCounts"].size(), 15U);
    EXPECT_EQ(point["explicitBounds"].size(), 14U);
    EXPECT_EQ(metrics[1]["unit"], "s");
}

TEST(Otlp, TwoFailuresOfOneModelAreOneSeriesWhereTheErrorIsNoAttribute) {
    std::map<GenAiNames, GenAiTally> tallies;
    tallies[{"chat", "m", "", "a"}].observe(1, 0.5, Usage());
    tallies[{"chat", "m", "", "b"}].observe(1, 0.5, Usage());
    const auto histograms = gen_ai_histograms(tallies);
    ASSERT_EQ(histograms[2].points.size(), 1U);
    EXPECT_EQ(histograms[2].points[0].counts[9], 2U);
}

TEST(Otlp, WhatACollectorAnswers) {
    EXPECT_EQ(read_otlp_answer("{}").rejected, 0U);
    EXPECT_EQ(read_otlp_answer("").rejected, 0U);
    EXPECT_EQ(read_otlp_answer("\x0a\x02").rejected, 0U);
    EXPECT_EQ(read_otlp_answer("[1]").rejected, 0U);
    EXPECT_EQ(read_otlp_answer(R"({"partialSuccess":7})").rejected, 0U);
    const std::string one = R"({"partialSuccess":{"rejectedSpans":1}})";
    EXPECT_EQ(read_otlp_answer(one + std::string(1 << 16, ' ')).rejected, 0U) << "too long";
    EXPECT_EQ(read_otlp_answer(R"({"partialSuccess":{"rejectedSpans":"12"}})").rejected, 12U);
    EXPECT_EQ(read_otlp_answer(R"({"partialSuccess":{"rejectedDataPoints":3}})").rejected, 3U);
    EXPECT_EQ(read_otlp_answer(R"({"partialSuccess":{"rejectedSpans":-3}})").rejected, 0U);
    EXPECT_EQ(read_otlp_answer(R"({"partialSuccess":{"rejectedSpans":"1e99"}})").rejected, 0U);
    const auto said = read_otlp_answer(R"({"partialSuccess":{"errorMessage":")" +
                                       std::string(500, 'x') + R"("}})");
    EXPECT_EQ(said.message, std::string(200, 'x'));
}

}  // namespace
}  // namespace weir::observe
