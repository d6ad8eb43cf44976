#include "observe/families.h"

#include <algorithm>
#include <type_traits>

namespace weir::observe {
namespace {

const std::vector<double> kSeconds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                   2.5,   5,    10,    30,   60,  120,  300, 900};
constexpr std::string_view kClient = "client";
const std::vector<double> kRatios{0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.25, 1.5, 2, 4};

}  // namespace

template <class T>
Metric<T>::Metric(const char* name, const char* help, std::vector<double> buckets)
    : family_(name, help, {}), buckets_(std::move(buckets)) {}

template <class T>
T& Metric<T>::series(const LabelList& labels) {
    prometheus::Labels map;
    Made made{nullptr, {}};
    for (const LabelPair& label : labels) {
        map.emplace(label.name, label.value);
        if (std::string_view(label.name).ends_with("model") || label.name == kClient) {
            made.values.emplace_back(label.value);
        }
    }
    const bool known = family_.Has(map);
    T* handle = nullptr;
    if constexpr (std::is_same_v<T, prometheus::Histogram>) {
        handle = &family_.Add(map, buckets_);
    } else {
        handle = &family_.Add(map);
    }
    if (!known) {
        made.handle = handle;
        made_.push_back(std::move(made));
    }
    return *handle;
}

template <class T>
void Metric<T>::forget(const std::vector<std::string>& values) {
    std::erase_if(made_, [&](const Made& made) {
        const bool named = std::ranges::any_of(made.values, [&](const std::string& value) {
            return std::ranges::find(values, value) != values.end();
        });
        if (named) {
            family_.Remove(made.handle);
        }
        return named;
    });
}

template <class T>
void Metric<T>::collect(std::vector<prometheus::MetricFamily>& out) const {
    for (prometheus::MetricFamily& family : family_.Collect()) {
        out.push_back(std::move(family));
    }
}

template class Metric<prometheus::Counter>;
template class Metric<prometheus::Histogram>;

Families::Families()
    : requests("weir_requests_total", "Requests ended, by how they ended."),
      refusals("weir_refusals_total", "Requests that weir itself refused, by reason."),
      attempts("weir_attempts_total", "Attempts sent upstream, by result."),
      tokens("weir_tokens_total",
             "Tokens the service reported; kind quota is what they cost of the quota."),
      reserved_unused("weir_reserved_unused_tokens_total",
                      "Quota tokens that max_tokens held and the answer did not use."),
      fallbacks("weir_fallbacks_total", "Answers that came from a later target of their route."),
      sdk_retries("weir_sdk_retries_total", "Attempts that clients made by themselves."),
      reloads("weir_config_reloads_total", "Reloads of the configuration, by result."),
      unknown_headers("weir_unknown_headers_total",
                      "Request headers x-weir-* that weir does not know and dropped."),
      request_seconds("weir_request_seconds", "From a request's head to the end of its answer.",
                      kSeconds),
      queue_seconds("weir_queue_seconds", "Time spent waiting for quota or for a target.",
                    kSeconds),
      overhead_seconds("weir_overhead_seconds", "Request time less the queue and the service.",
                       kSeconds),
      first_token_seconds("weir_first_token_seconds",
                          "From a request's head to the first content of its stream.", kSeconds),
      estimate_ratio("weir_estimate_ratio", "Input tokens reported over input tokens estimated.",
                     kRatios),
      pool_wait_seconds("weir_pool_wait_seconds", "Time to get an upstream connection.", kSeconds) {
}

void Families::forget(const std::vector<std::string>& values) {
    for (CounterMetric* metric :
         {&requests, &refusals, &attempts, &tokens, &reserved_unused, &fallbacks, &sdk_retries}) {
        metric->forget(values);
    }
    for (HistogramMetric* metric : {&request_seconds, &queue_seconds, &overhead_seconds,
                                    &first_token_seconds, &estimate_ratio}) {
        metric->forget(values);
    }
}

std::vector<prometheus::MetricFamily> Families::collect() const {
    std::vector<prometheus::MetricFamily> out;
    for (const CounterMetric* metric : {&requests, &refusals, &attempts, &tokens, &reserved_unused,
                                        &fallbacks, &sdk_retries, &reloads, &unknown_headers}) {
        metric->collect(out);
    }
    for (const HistogramMetric* metric :
         {&request_seconds, &queue_seconds, &overhead_seconds, &first_token_seconds,
          &estimate_ratio, &pool_wait_seconds}) {
        metric->collect(out);
    }
    return out;
}

}  // namespace weir::observe
