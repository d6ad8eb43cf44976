// Every metric of weir's own, one row each: name, help, labels and, for histograms, buckets.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::observe {

/// By position: the values of a row's labels.
using LabelValuesView = std::span<const std::string_view>;

class Family;
template <class T>
class Metric;
using CounterMetric = Metric<prometheus::Counter>;
using HistogramMetric = Metric<prometheus::Histogram>;

/// The rows in the order of a scrape, and those that count each request that ends.
struct Rows {
    std::vector<Family*> all;
    std::vector<CounterMetric*> request_counters;
    std::vector<HistogramMetric*> request_histograms;
};

class Family {
public:
    using Type = prometheus::MetricType;

    /// `labels`: their names, with blanks between.
    Family(Rows& rows, const char* name, Type type, std::string_view labels);
    virtual ~Family() = default;
    Family(const Family&) = delete;
    Family& operator=(const Family&) = delete;

    const char* name() const { return name_; }
    Type type() const { return type_; }
    const std::vector<std::string>& labels() const { return labels_; }

    /// Removes every series of these models or clients.
    virtual void forget(const std::vector<std::string>&) {}
    virtual void collect(std::vector<prometheus::MetricFamily>& out) = 0;

private:
    const char* name_;
    Type type_;
    std::vector<std::string> labels_;
};

/// Counted as things happen. Handles stay valid until forget() removes their series. Not
/// thread-safe, but handles are, and collect() beside them.
template <class T>
class Metric : public Family {
public:
    Metric(Rows& rows, const char* name, std::string_view labels, const char* help,
           std::vector<double> buckets = {});

    T& series(LabelValuesView values);
    T& series(std::initializer_list<std::string_view> values) {
        return series(LabelValuesView(values.begin(), values.size()));
    }
    /// Upper bounds of a histogram's buckets.
    const std::vector<double>& buckets() const { return buckets_; }

    void forget(const std::vector<std::string>& values) override;
    void collect(std::vector<prometheus::MetricFamily>& out) override;

private:
    struct Made {
        T* handle;
        std::vector<std::string> values;  // of the labels that forget() looks at
    };
    prometheus::Family<T> family_;
    std::vector<double> buckets_;
    std::vector<Made> made_;
};

/// Counted once for each request that ends: its labels are among kRequestLabels.
template <class T>
class RequestMetric : public Metric<T> {
public:
    RequestMetric(Rows& rows, const char* name, std::string_view labels, const char* help,
                  std::vector<double> buckets = {});
    /// Where the request's tallies have this one.
    std::size_t slot() const { return slot_; }

private:
    std::size_t slot_;
};
inline constexpr std::string_view kRequestLabels[] = {"model", "operation", "client", "outcome"};
using RequestCounter = RequestMetric<prometheus::Counter>;
using RequestHistogram = RequestMetric<prometheus::Histogram>;

/// What two values of the same labels become: models under `other`, say.
enum class Merge : std::uint8_t { sum, max };

/// Set from what is read just before a scrape. A label that ends in `?` is left out where its value
/// is empty.
class ReadMetric : public Family {
public:
    ReadMetric(Rows& rows, Type type, const char* name, std::string_view labels, const char* help,
               Merge merge = Merge::sum);

    void set(std::vector<std::string> values, double value);
    /// What was set since the last time.
    void collect(std::vector<prometheus::MetricFamily>& out) override;

private:
    const char* help_;
    Merge merge_;
    std::map<std::vector<std::string>, double> values_;
};

inline const std::vector<double> kSeconds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                          2.5,   5,    10,    30,   60,  120,  300, 900};
inline const std::vector<double> kRatios{0.25, 0.5, 0.7,  0.8, 0.9, 0.95, 1,
                                         1.05, 1.1, 1.25, 1.5, 2,   4};

inline constexpr auto kGauge = prometheus::MetricType::Gauge;
inline constexpr auto kCounter = prometheus::MetricType::Counter;

// Each row: the metric's name, its labels, its help, a histogram's buckets.
// A new metric is a row here, a line where it is counted or read, and one in docs/operations.md.

/// Counted as things happen.
struct CountedFamilies {
    Rows& rows;

    RequestCounter requests{rows, "weir_requests_total", "model operation client outcome",
                            "Requests ended, by how they ended."};
    CounterMetric refusals{rows, "weir_refusals_total", "reason model client",
                           "Requests that weir itself refused, by reason."};
    CounterMetric attempts{rows, "weir_attempts_total", "account region model result",
                           "Attempts sent upstream, by result."};
    CounterMetric tokens{rows, "weir_tokens_total", "account region model client kind",
                         "Tokens the service reported; kind quota is what they cost of the quota."};
    CounterMetric cost{rows, "weir_cost_usd_total", "account region model client",
                       "US dollars that the tokens reported cost, as far as they have a price."};
    CounterMetric unpriced_tokens{rows, "weir_unpriced_tokens_total", "account region model client",
                                  "Tokens reported that have no price."};
    RequestCounter reserved_unused{rows, "weir_reserved_unused_tokens_total", "model client",
                                   "Quota tokens that max_tokens held and the answer did not use."};
    CounterMetric fallbacks{rows, "weir_fallbacks_total",
                            "from_region from_model to_region to_model",
                            "Answers that came from a later target of their route."};
    RequestCounter rescued{rows, "weir_rescued_total", "model client",
                           "Requests answered although they had to wait or an attempt failed."};
    RequestCounter sdk_retries{rows, "weir_sdk_retries_total", "client",
                               "Attempts that clients made by themselves."};
    CounterMetric reloads{rows, "weir_config_reloads_total", "result",
                          "Reloads of the configuration, by result."};
    CounterMetric unknown_headers{rows, "weir_unknown_headers_total", "",
                                  "Request headers x-weir-* that weir does not know and dropped."};

    RequestHistogram request_seconds{rows, "weir_request_seconds", "model",
                                     "From a request's head to the end of its answer.", kSeconds};
    RequestHistogram queue_seconds{rows, "weir_queue_seconds", "model",
                                   "Time spent waiting for quota or for a target.", kSeconds};
    RequestHistogram overhead_seconds{rows, "weir_overhead_seconds", "model",
                                      "Request time less the queue and the service.", kSeconds};
    RequestHistogram first_token_seconds{
        rows, "weir_first_token_seconds", "model",
        "From a request's head to the first content of its stream.", kSeconds};
    RequestHistogram estimate_ratio{rows, "weir_estimate_ratio", "model",
                                    "Input tokens reported over input tokens estimated.", kRatios};
    HistogramMetric pool_wait_seconds{rows, "weir_pool_wait_seconds", "side region",
                                      "Time to get an upstream connection.", kSeconds};
};

/// Read from the engine, and from its shadow in `mode: observe`.
struct EngineFamilies {
    Rows& rows;

    ReadMetric quota_limit{rows, kGauge, "weir_quota_limit",
                           "account region model endpoint? tier? kind",
                           "Quota of a window or a day, configured or learned."};
    ReadMetric quota_used{rows, kGauge, "weir_quota_used",
                          "account region model endpoint? tier? kind",
                          "Settled and reserved in the running window or day."};
    ReadMetric breaker_state{rows,
                             kGauge,
                             "weir_breaker_state",
                             "account region model endpoint? tier?",
                             "0 closed, 1 half-open, 2 open.",
                             Merge::max};
    ReadMetric target_held{rows,
                           kGauge,
                           "weir_target_held",
                           "account region model state",
                           "1 for a target that an operator or an alarm holds open, drained or "
                           "closed.",
                           Merge::max};
    ReadMetric shedding{rows,
                        kGauge,
                        "weir_shedding",
                        "priority",
                        "1 while calls of this class and lower ones are refused by order.",
                        Merge::max};
    ReadMetric client_paused{rows,
                             kGauge,
                             "weir_client_paused",
                             "client",
                             "1 while the calls of this client are refused by order.",
                             Merge::max};
    ReadMetric prompt_cache_calls{rows, kCounter, "weir_prompt_cache_calls_total",
                                  "account region model endpoint? result",
                                  "Calls of conversations with a prompt cache, sent to the target "
                                  "that has it (kept) or to another (moved)."};
    ReadMetric waiting{rows, kGauge, "weir_waiting", "model priority", "Calls in the queue."};
    ReadMetric target_skipped{rows, kCounter, "weir_target_skipped_total", "region model reason",
                              "Calls that passed a target over, by reason."};
    ReadMetric observed{rows, kCounter, "weir_observed_total", "model client verdict",
                        "Calls let through as they came, by what would have been done with them."};
    ReadMetric observed_wait{rows, kCounter, "weir_observed_wait_seconds_total", "model client",
                             "Time that calls would have waited."};
    ReadMetric observed_unused{rows, kCounter, "weir_observed_reserved_unused_tokens_total",
                               "model client", "What max_tokens would have held in vain."};
};

/// Read from the rest of this instance: connections, the shared store, log, configuration.
struct InstanceFamilies {
    Rows& rows;

    ReadMetric connections{rows, kGauge, "weir_connections", "side region? state",
                           "Open connections."};
    ReadMetric streams{rows, kGauge, "weir_streams_open", "", "Answers that are open streams."};
    ReadMetric pool_limit{rows, kGauge, "weir_pool_limit", "side region",
                          "The most upstream connections a Region may have."};
    ReadMetric quota_share{rows, kGauge, "weir_quota_share", "",
                           "This instance's part of every quota."};
    ReadMetric shared_joined{rows, kGauge, "weir_shared_joined", "",
                             "1 while the store keeps the books of every shared quota, else 0."};
    ReadMetric shared_instances{rows, kGauge, "weir_shared_instances", "",
                                "Instances that draw on the same quotas, as far as is known."};
    ReadMetric shared_commands{rows, kCounter, "weir_shared_commands_total", "",
                               "Commands sent to the shared store."};
    ReadMetric shared_failures{rows, kCounter, "weir_shared_failures_total", "reason",
                               "Exchanges that the shared store did not answer, by reason."};
    ReadMetric cloudwatch_data{rows, kCounter, "weir_cloudwatch_data_total", "result",
                               "Data for CloudWatch: sent, dropped after failures, or left out "
                               "because of max_series."};
    ReadMetric otlp_sent{rows, kCounter, "weir_otlp_sent_total", "signal",
                         "Traces and data points that an OpenTelemetry collector has taken."};
    ReadMetric otlp_dropped{rows, kCounter, "weir_otlp_dropped_total", "signal reason",
                            "Traces and data points for OpenTelemetry that were not sent, by "
                            "reason."};
    ReadMetric sns_messages{rows, kCounter, "weir_sns_messages_total", "result",
                            "Messages of SNS that alarms have sent to POST /sns, by what became of "
                            "them."};
    ReadMetric credentials_expiry{rows, kGauge, "weir_credentials_expiry_seconds", "",
                                  "Until the credentials in use expire."};
    ReadMetric log_dropped{rows, kCounter, "weir_log_dropped_total", "",
                           "Access log lines lost because nobody took them."};
    ReadMetric unclean_fields{
        rows, kCounter, "weir_unclean_fields_total", "",
        "Head lines that were cleaned of a CR, LF or NUL as they were written: a fault of weir's."};
    ReadMetric config_info{rows, kGauge, "weir_config_info", "hash",
                           "1, with the hash of the configuration in force."};
    ReadMetric config_applied{rows, kGauge, "weir_config_applied_timestamp_seconds", "",
                              "When that configuration took effect, in seconds since 1970."};
    ReadMetric config_restart_needed{rows, kGauge, "weir_config_restart_needed", "",
                                     "Settings of the file that only a restart takes over."};
    ReadMetric build_info{rows, kGauge, "weir_build_info", "version",
                          "1, with the version that runs."};
};

/// Read from the budgets of clients.
struct BudgetFamilies {
    Rows& rows;

    ReadMetric used{rows,
                    kGauge,
                    "weir_budget_used_ratio",
                    "client period",
                    "Spent of a client's budget, as a share of it.",
                    Merge::max};
    ReadMetric usd{
        rows,      kGauge, "weir_budget_usd", "client period", "A client's budget in US dollars.",
        Merge::max};
};

/// All of them, in the order of a scrape.
struct Families {
    Rows rows;
    CountedFamilies counted{rows};
    EngineFamilies engine{rows};
    BudgetFamilies budgets{rows};
    InstanceFamilies instance{rows};

    void forget(const std::vector<std::string>& values);
    std::vector<prometheus::MetricFamily> collect();
};

}  // namespace weir::observe
