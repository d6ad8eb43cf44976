#include "gateway/metrics_push.h"

#include "aws/watched.h"
#include "gateway/clock.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;

constexpr Duration kShortest = 1s;

aws::Sample sample_of(const prometheus::MetricFamily& family,
                      const prometheus::ClientMetric& metric) {
    aws::Sample sample;
    sample.name = family.name;
    for (const auto& label : metric.label) {
        sample.labels.emplace_back(label.name, label.value);
    }
    switch (family.type) {
        case prometheus::MetricType::Counter:
            sample.value = metric.counter.value;
            break;
        case prometheus::MetricType::Histogram:
            sample.type = aws::Sample::Type::histogram;
            sample.value = metric.histogram.sample_sum;
            for (const auto& bucket : metric.histogram.bucket) {
                sample.buckets.emplace_back(bucket.upper_bound, bucket.cumulative_count);
            }
            break;
        default:
            sample.type = aws::Sample::Type::gauge;
            sample.value = metric.gauge.value;
            break;
    }
    return sample;
}

}  // namespace

std::vector<aws::Sample> to_samples(const std::vector<prometheus::MetricFamily>& families) {
    std::vector<aws::Sample> out;
    for (const auto& family : families) {
        for (const auto& metric : family.metric) {
            out.push_back(sample_of(family, metric));
        }
    }
    return out;
}

MetricsPush::MetricsPush(Parts parts) : parts_(std::move(parts)) {}

void MetricsPush::log(LogLevel level, const std::string& text) const {
    if (parts_.log) {
        parts_.log(level, text);
    }
}

Duration MetricsPush::once() {
    const auto snapshot = parts_.snapshot();
    const Config& config = snapshot->config;
    if (config.aws.metrics.to == MetricsTo::off) {
        deltas_ = {};
    } else {
        collect(config);
    }
    // The window is a minute, but in tests.
    return std::max(kShortest, config.quota_window);
}

void MetricsPush::collect(const Config& config) {
    const AwsMetricsConfig& metrics = config.aws.metrics;
    const auto data = deltas_.take(to_samples(parts_.scrape()), metrics.max_series);
    counters_.left_out = deltas_.left_out();
    const std::int64_t now = unix_ms();
    if (metrics.to == MetricsTo::emf) {
        if (parts_.write_line) {
            for (const std::string& line : aws::emf_lines(data, metrics.name_space, now)) {
                parts_.write_line(line);
            }
            counters_.sent += data.size();
        }
        return;
    }
    for (auto& batch : aws::put_metric_data(data, metrics.name_space, now / 1000)) {
        const std::size_t count = batch["MetricData"].size();
        queue_.push(std::move(batch), count);
    }
    send(config);
    counters_.sent = queue_.data_sent();
    counters_.dropped = queue_.data_dropped();
}

void MetricsPush::send(const Config& config) {
    const std::string region = aws::metrics_region(config);
    if (region.empty() || queue_.waiting() == 0) {
        return;
    }
    const auto keys = parts_.keys();
    const aws::ApiClient api(
        config.aws, aws::Environment::of_process(),
        [keys] { return keys == nullptr ? nullptr : keys->get(); },
        aws::ApiTiming{.attempts = 1});  // the queue knows when to try again
    while (!thread_.stopping()) {
        const auto* batch = queue_.next(unix_ms() / 1000);
        if (batch == nullptr) {
            return;
        }
        const auto done = api.json({aws::ApiService::cloudwatch, region}, "PutMetricData", *batch,
                                   thread_.stopping());
        if (done) {
            queue_.sent();
            if (std::exchange(failing_, false)) {
                log(LogLevel::info, "metrics go to CloudWatch again");
            }
            continue;
        }
        if (thread_.stopping()) {
            return;
        }
        const auto& error = done.error();
        const bool again =
            error.throttled() || error.status == 0 || error.status >= 500 || error.denied();
        queue_.failed(unix_ms() / 1000, again);
        if (!std::exchange(failing_, true)) {
            log(LogLevel::warn, "metrics do not reach CloudWatch in " + region + ": " +
                                    error.text() + "; " + std::to_string(queue_.waiting()) +
                                    " calls wait, at most 60 are kept");
        }
        return;
    }
}

}  // namespace weir::gateway
