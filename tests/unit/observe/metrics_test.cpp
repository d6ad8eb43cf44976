#include "observe/metrics.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "unit/given.h"

namespace weir::observe {
namespace {

RequestRecord served() {
    RequestRecord record;
    record.model = kSonnet;
    record.operation = "Converse";
    record.client = "chat";
    record.total_seconds = 1.5;
    record.queued_seconds = 0.2;
    record.overhead_seconds = 0.0004;
    record.region = "us-east-1";
    record.target_model = kSonnet;
    record.usage = {.input = 90, .output = 20, .cache_read = 10, .cache_write = 5, .known = true};
    record.quota_tokens = 195;
    record.reserved = 1200;
    record.input_estimate = 100;
    return record;
}

std::size_t count(const std::string& text, std::string_view what) {
    std::size_t n = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
        ++n;
    }
    return n;
}

bool has_line(const std::string& text, const std::string& line) {
    return text.find("\n" + line + "\n") != std::string::npos;
}

class MetricsTest : public testing::Test {
protected:
    std::string text(const Metrics::Gauges& gauges = {}) { return metrics.text(gauges); }

    Metrics metrics{{kSonnet}, {"chat"}};
    const std::string model = kSonnet;
};

TEST_F(MetricsTest, MoneyIsInDollarsAndAnUnknownPriceIsNotNothing) {
    RequestRecord record = served();
    record.cost_nanodollars = 10'500'000;
    metrics.record(record);
    metrics.record(record);
    const std::string labels =
        "account=\"default\",client=\"chat\",model=\"" + model + "\",region=\"us-east-1\"";
    std::string out = text();
    EXPECT_TRUE(has_line(out, "weir_cost_usd_total{" + labels + "} 0.021")) << out;
    EXPECT_EQ(count(out, "weir_unpriced_tokens_total{"), 0U);
    record = served();
    record.client = "search";
    record.unpriced_tokens = 125;
    metrics.record(record);
    out = text();
    EXPECT_EQ(count(out, "weir_cost_usd_total{"), 1U);
    EXPECT_EQ(count(out, "weir_unpriced_tokens_total{"), 1U);
    EXPECT_NE(out.find("region=\"us-east-1\"} 125\n"), std::string::npos) << out;
}

TEST_F(MetricsTest, AServedRequestIsInEveryMetricOfItsKind) {
    metrics.record(served());
    const std::string out = text();
    const std::string mc = "client=\"chat\",model=\"" + model + "\"";
    EXPECT_TRUE(
        has_line(out, "weir_requests_total{" + mc + ",operation=\"Converse\",outcome=\"ok\"} 1"));
    EXPECT_TRUE(has_line(out, "weir_request_seconds_count{model=\"" + model + "\"} 1"));
    EXPECT_TRUE(has_line(out, "weir_request_seconds_sum{model=\"" + model + "\"} 1.5"));
    EXPECT_TRUE(has_line(out, "weir_queue_seconds_count{model=\"" + model + "\"} 1"));
    EXPECT_TRUE(
        has_line(out, "weir_overhead_seconds_bucket{model=\"" + model + "\",le=\"0.005\"} 1"));
    EXPECT_TRUE(has_line(out, "weir_first_token_seconds_count{model=\"" + model + "\"} 0"));
    EXPECT_TRUE(has_line(out, "weir_reserved_unused_tokens_total{" + mc + "} 1005"));
    EXPECT_TRUE(has_line(out, "weir_estimate_ratio_bucket{model=\"" + model + "\",le=\"1.05\"} 1"));
    const auto tokens = [&](const std::string& kind, const std::string& n) {
        return has_line(out, "weir_tokens_total{account=\"default\",client=\"chat\",kind=\"" +
                                 kind + "\",model=\"" + model + "\",region=\"us-east-1\"} " + n);
    };
    EXPECT_TRUE(tokens("input", "90"));
    EXPECT_TRUE(tokens("output", "20"));
    EXPECT_TRUE(tokens("cache_read", "10"));
    EXPECT_TRUE(tokens("cache_write", "5"));
    EXPECT_TRUE(tokens("quota", "195"));
}

TEST_F(MetricsTest, CountsGoOnFromOneScrapeToTheNext) {
    const std::string line = "weir_request_seconds_bucket{model=\"" + model + "\",le=\"2.5\"} ";
    const std::string tokens =
        "weir_tokens_total{account=\"default\",client=\"chat\",kind=\"input\",model=\"" + model +
        "\",region=\"us-east-1\"} ";
    for (int scrape = 1; scrape <= 3; ++scrape) {
        metrics.record(served());
        metrics.record(served());
        text();
        const std::string out = text();
        EXPECT_TRUE(has_line(out, line + std::to_string(2 * scrape))) << out;
        EXPECT_TRUE(has_line(out, tokens + std::to_string(180 * scrape))) << out;
    }
    metrics.record(served());
    metrics.configure({}, {"chat"});  // what was counted is not lost with the label's place
    EXPECT_EQ(count(text(), tokens + "630"), count(text(), tokens));
}

TEST_F(MetricsTest, HistogramsReachFrom5MillisecondsTo15Minutes) {
    metrics.record(served());
    const std::string out = text();
    EXPECT_TRUE(has_line(out, "weir_request_seconds_bucket{model=\"" + model + "\",le=\"900\"} 1"));
    EXPECT_EQ(count(out, "weir_request_seconds_bucket{model=\"" + model + "\",le=\"+Inf\"}"), 1U);
}

TEST_F(MetricsTest, ARefusalIsCountedWithItsReason) {
    RequestRecord record = served();
    record.outcome = Outcome::throttled;
    record.refusal_reason = "quota";
    record.region = {};
    record.usage = {};
    metrics.record(record);
    EXPECT_TRUE(has_line(
        text(), "weir_refusals_total{client=\"chat\",model=\"" + model + "\",reason=\"quota\"} 1"));
}

TEST_F(MetricsTest, ARememberedRefusalIsAnSdkRetryAndNothingElse) {
    RequestRecord record = served();
    record.outcome = Outcome::throttled;
    record.refusal_reason = "quota";
    record.repeated = true;
    record.sdk_retry = true;
    metrics.record(record);
    const std::string out = text();
    EXPECT_TRUE(has_line(out, "weir_sdk_retries_total{client=\"chat\"} 1"));
    EXPECT_EQ(count(out, "outcome=\"throttled\"} 1"), 0U);
    EXPECT_EQ(count(out, "weir_refusals_total{"), 0U);
}

TEST_F(MetricsTest, AnUnknownModelIsOtherUntilItsFirstSuccess) {
    RequestRecord record = served();
    record.model = record.target_model = "amazon.nova-lite-v1:0";
    record.outcome = Outcome::client_error;
    metrics.record(record);
    EXPECT_EQ(count(text(), "nova-lite"), 0U);
    EXPECT_GT(count(text(), "model=\"other\""), 0U);
    record.outcome = Outcome::ok;
    metrics.record(record);
    metrics.record(record);
    EXPECT_TRUE(has_line(text(),
                         "weir_requests_total{client=\"chat\",model=\"amazon.nova-lite-v1:0\","
                         "operation=\"Converse\",outcome=\"ok\"} 2"));
}

TEST_F(MetricsTest, AnArnGoesByItsLastSegment) {
    RequestRecord record = served();
    const std::string arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/" + model;
    record.model = arn;
    metrics.record(record);
    EXPECT_EQ(count(text(), "123456789012"), 0U);
    EXPECT_TRUE(has_line(text(), "weir_requests_total{client=\"chat\",model=\"" + model +
                                     "\",operation=\"Converse\",outcome=\"ok\"} 1"));
}

TEST_F(MetricsTest, NoLabelTakesMoreThan200Values) {
    RequestRecord record = served();
    for (int i = 0; i < 1000; ++i) {
        const std::string client = "c" + std::to_string(i);
        const std::string name = "m" + std::to_string(i);
        record.client = client;
        record.model = name;
        metrics.record(record);
        metrics.count_attempt({"r" + std::to_string(i), std::string(name)}, AttemptResult::network);
    }
    const std::string out = text();
    // The configured one was not used: 199 learned ones and `other`.
    EXPECT_EQ(count(out, "weir_request_seconds_count{"), 200U);
    EXPECT_EQ(count(out, "weir_sdk_retries_total{"), 200U);
    EXPECT_LE(count(out, "weir_attempts_total{"), 402U);
}

TEST_F(MetricsTest, NobodyInParticularIsNone) {
    RequestRecord record = served();
    record.client = {};
    metrics.record(record);
    EXPECT_EQ(count(text(), "weir_requests_total{client=\"none\""), 1U);
}

TEST_F(MetricsTest, NamesCannotForgeLines) {
    RequestRecord record = served();
    record.client = "a\"b\\c";
    metrics.record(record);
    record.client = "x\"} 1\nforged 1\n";
    metrics.record(record);
    record.client = "\xff\xfe";
    metrics.record(record);
    const std::string out = text();
    EXPECT_EQ(count(out, "client=\"a\\\"b\\\\c\",model=\"" + model + "\",operation"), 1U);
    EXPECT_EQ(count(out, "forged"), 0U);
    EXPECT_EQ(count(out, "\xff"), 0U);
}

TEST_F(MetricsTest, AttemptsAndFallbacksNameTheirPlaces) {
    metrics.count_attempt({"us-east-1", kSonnet}, AttemptResult::throttled_tokens);
    metrics.count_attempt({"us-east-1", kSonnet}, AttemptResult::throttled_tokens);
    RequestRecord record = served();
    record.region = "us-west-2";
    record.fallback_from_region = "us-east-1";
    record.fallback_from_model = kSonnet;
    metrics.record(record);
    metrics.count_pool_wait("us-west-2", 0.02);
    const std::string out = text();
    EXPECT_TRUE(has_line(out, "weir_attempts_total{account=\"default\",model=\"" + model +
                                  "\",region=\"us-east-1\",result=\"throttled_tokens\"} 2"));
    EXPECT_TRUE(has_line(out, "weir_fallbacks_total{from_model=\"" + model +
                                  "\",from_region=\"us-east-1\",to_model=\"" + model +
                                  "\",to_region=\"us-west-2\"} 1"));
    EXPECT_TRUE(
        has_line(out, "weir_pool_wait_seconds_count{region=\"us-west-2\",side=\"upstream\"} 1"));
}

TEST_F(MetricsTest, GaugesSayWhatTheEngineSays) {
    Metrics::Gauges gauges;
    TargetStatus target;
    target.region = "us-east-1";
    target.model = model;
    target.breaker = BreakerState::open;
    target.limits = {{LimitKind::requests, 200, 7, 1, false}, {LimitKind::tokens, 0, 55, 5, true}};
    gauges.status.targets.push_back(target);
    gauges.status.waiting.push_back({model, Priority::batch, 12});
    gauges.status.skipped.push_back({"us-east-1", model, "residency", 3});
    gauges.client_active = 4;
    gauges.pools.push_back({"us-east-1", 2, 1, 4096});
    gauges.quota_share = 0.5;
    gauges.credentials_expiry_seconds = 900;
    const std::string out = text(gauges);
    const std::string place = "account=\"default\",region=\"us-east-1\",model=\"" + model + "\"";
    for (const std::string& line : {
             "weir_quota_limit{" + place + ",kind=\"requests\"} 200",
             "weir_quota_used{" + place + ",kind=\"requests\"} 7",
             "weir_quota_used{" + place + ",kind=\"tokens\"} 55",
             "weir_breaker_state{" + place + "} 2",
             "weir_waiting{model=\"" + model + "\",priority=\"batch\"} 12",
             "weir_target_skipped_total{region=\"us-east-1\",model=\"" + model +
                 "\",reason=\"residency\"} 3",
             std::string("weir_connections{side=\"client\",state=\"active\"} 4"),
             std::string(
                 "weir_connections{side=\"upstream\",region=\"us-east-1\",state=\"idle\"} 1"),
             std::string("weir_pool_limit{side=\"upstream\",region=\"us-east-1\"} 4096"),
             std::string("weir_quota_share 0.5"),
             std::string("weir_credentials_expiry_seconds 900"),
         }) {
        EXPECT_TRUE(has_line(out, line)) << line;
    }
    EXPECT_EQ(count(out, "\nweir_build_info{version=\""), 1U);
    EXPECT_EQ(count(out, "weir_quota_limit{"), 1U) << "an unknown limit is absent, not zero";
}

TEST_F(MetricsTest, TargetsUnderOtherAreOneSeries) {
    Metrics::Gauges gauges;
    for (const char* name : {"a.b", "c.d"}) {
        TargetStatus target;
        target.region = "us-east-1";
        target.model = name;
        target.limits = {{LimitKind::requests, 10, 2, 0, true}};
        gauges.status.targets.push_back(target);
    }
    EXPECT_TRUE(has_line(text(gauges),
                         "weir_quota_used{account=\"default\",region=\"us-east-1\",model="
                         "\"other\",kind=\"requests\"} 4"));
}

TEST_F(MetricsTest, TheProcessTellsOfItself) {
    const std::string out = text();
    for (const char* name :
         {"process_cpu_seconds_total ", "process_resident_memory_bytes ",
          "process_virtual_memory_bytes ", "process_open_fds ", "process_max_fds ",
          "process_start_time_seconds ", "process_threads "}) {
        const std::size_t at = out.find(std::string("\n") + name);
        ASSERT_NE(at, std::string::npos) << name;
        EXPECT_GE(std::stod(out.substr(at + 1 + std::string_view(name).size())), 0);
    }
}

TEST_F(MetricsTest, ReloadsAreCounted) {
    EXPECT_TRUE(has_line(text(), "weir_config_reloads_total{result=\"error\"} 0"));
    metrics.count_reload(false);
    metrics.count_unknown_header();
    EXPECT_TRUE(has_line(text(), "weir_config_reloads_total{result=\"error\"} 1"));
    EXPECT_TRUE(has_line(text(), "weir_unknown_headers_total 1"));
}

TEST_F(MetricsTest, ConfiguredNamesFindRoomAfterAReload) {
    RequestRecord record = served();
    for (int i = 0; i < 300; ++i) {
        const std::string client = "c" + std::to_string(i);
        record.client = client;
        metrics.record(record);
    }
    metrics.configure({model}, {"etl"});
    record.client = "etl";
    record.outcome = Outcome::client_error;
    metrics.record(record);
    record.client = "chat";  // configured no longer, but it has been used
    metrics.record(record);
    const std::string out = text();
    EXPECT_EQ(count(out, "weir_requests_total{client=\"etl\""), 1U);
    EXPECT_LE(count(out, "weir_sdk_retries_total{"), 201U);
}

TEST_F(MetricsTest, ThreadsMayCountAtOnce) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([this, t] {
            RequestRecord record = served();
            for (int i = 0; i < 500; ++i) {
                const std::string client = "c" + std::to_string(i % 7);
                record.client = client;
                metrics.record(record);
                metrics.count_attempt({"us-east-1", kSonnet}, AttemptResult::ok);
                if (i % 100 == t) {
                    metrics.configure({model}, {"chat", "d" + std::to_string(t)});
                    text();
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_TRUE(has_line(text(), "weir_attempts_total{account=\"default\",model=\"" + model +
                                     "\",region=\"us-east-1\",result=\"ok\"} 2000"));
}

}  // namespace
}  // namespace weir::observe
