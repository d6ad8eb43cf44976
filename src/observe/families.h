// The counted metrics: their names, help texts and buckets, and the series that exist.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::observe {

struct LabelPair {
    const char* name;
    std::string_view value;
};
using LabelList = std::vector<LabelPair>;

/// One metric of type T (Counter or Histogram) with the series made so far. Handles stay valid
/// until forget() removes their series. Not thread-safe, but handles are, and collect() beside
/// them.
template <class T>
class Metric {
public:
    Metric(const char* name, const char* help, std::vector<double> buckets = {});

    T& series(const LabelList& labels);
    /// Upper bounds of a histogram's buckets.
    const std::vector<double>& buckets() const { return buckets_; }

    /// Removes every series of these models or clients.
    void forget(const std::vector<std::string>& values);

    void collect(std::vector<prometheus::MetricFamily>& out) const;

private:
    struct Made {
        T* handle;
        std::vector<std::string> values;  // of the labels that forget() looks at
    };
    prometheus::Family<T> family_;
    std::vector<double> buckets_;
    std::vector<Made> made_;
};

using CounterMetric = Metric<prometheus::Counter>;
using HistogramMetric = Metric<prometheus::Histogram>;

struct Families {
    Families();

    CounterMetric requests, refusals, attempts, tokens, reserved_unused, fallbacks, sdk_retries,
        reloads, unknown_headers;
    HistogramMetric request_seconds, queue_seconds, overhead_seconds, first_token_seconds,
        estimate_ratio, pool_wait_seconds;

    void forget(const std::vector<std::string>& values);
    std::vector<prometheus::MetricFamily> collect() const;
};

}  // namespace weir::observe
