// Prometheus metrics of the names in docs/operations.md. Handles are looked up once, never per
// request.
#pragma once

#include "observe/otlp.h"
#include "observe/status_json.h"
#include "observe/trace_context.h"
#include "policy/outcome.h"
#include "policy/shadow.h"

#include <weir/engine.h>
#include <weir/types.h>

#include <prometheus/metric_family.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::observe {

using policy::AttemptResult;
using policy::Outcome;
using policy::to_string;

/// How a finished request is counted. Views live until record() returns.
struct RequestRecord {
    std::string_view model;  // as asked; becomes `other` unless configured or used with success
    std::string_view operation;
    std::string_view client;  // likewise
    Outcome outcome = Outcome::ok;
    std::string_view refusal_reason;  // empty: not refused by weir
    bool repeated = false;  // a remembered refusal: not counted a second time, only as an SDK retry
    bool sdk_retry = false;  // attempt > 1 of the SDK's own
    double total_seconds = 0;
    double queued_seconds = 0;
    std::uint32_t attempts = 0;
    double overhead_seconds = 0;      // total less queue and upstream
    double first_token_seconds = -1;  // streams; < 0: none
    // of the attempt that answered:
    std::string_view account;  // as Target has it
    std::string_view region;
    std::string_view target_model;
    Usage usage;
    std::uint64_t quota_tokens = 0;      // settled cost
    std::uint64_t cost_nanodollars = 0;  // of the tokens that have a price
    std::uint64_t unpriced_tokens = 0;   // of the others
    std::uint64_t reserved = 0;          // what was held
    std::uint64_t input_estimate = 0;    // 0: none made
    std::string_view
        fallback_from_region;  // set with fallback_from_model when another target answered
    std::string_view fallback_from_model;
    std::string_view gen_ai_operation;  // empty: not counted for OpenTelemetry
    TraceId trace;                      // that is kept; not valid: none
    std::int64_t unix_ms = 0;           // its end
};

/// Answered although it had to wait or an attempt failed. Waits below a tenth of a second are the
/// pace of sending.
constexpr bool is_rescued(Outcome outcome, double queued_seconds, std::uint32_t attempts) {
    constexpr double kNoticedWait = 0.1;
    return outcome == Outcome::ok && (queued_seconds > kNoticedWait || attempts > 1);
}

/// All of weir's metrics. record() and count() are thread-safe and, for labels seen before, lock
/// one shard's mutex at most; `model` and `client` take at most 200 values each, the rest is
/// `other`.
class Metrics {
public:
    /// `models`, `clients`: the configured ones, which always have their own label.
    Metrics(std::vector<std::string> models, std::vector<std::string> clients);
    ~Metrics();

    void record(const RequestRecord& record);
    /// Tokens and money of another answer that a request has had: the fields below `of the attempt
    /// that answered`.
    void count_answer(const RequestRecord& record);
    void count_attempt(const Target& at, AttemptResult result);
    void count_pool_wait(std::string_view region, double seconds);
    void count_reload(bool ok);
    void count_unknown_header();

    /// Gauges that are read, not counted, are set just before a scrape.
    struct Gauges {
        Status status;  // quota, waiting, breaker, skipped
        std::int64_t client_active = 0, client_idle = 0;
        std::int64_t streams = 0;  // open
        struct Pool {
            std::string region;
            std::int64_t active = 0, idle = 0, limit = 0;
        };
        std::vector<Pool> pools;
        double quota_share = 1;
        /// Of the shared store; nullopt: this instance counts alone.
        struct SharedStore {
            bool up = false;
            std::uint64_t commands = 0;
            std::vector<std::pair<std::string, std::uint64_t>> failures;  ///< by reason
        };
        std::optional<SharedStore> shared;
        /// Of what goes to CloudWatch; nullopt: nothing does.
        struct CloudWatch {
            std::uint64_t sent = 0, dropped = 0, left_out = 0;
        };
        std::optional<CloudWatch> cloudwatch;
        /// Of what goes to OpenTelemetry, by signal; empty: nothing does.
        struct Otlp {
            std::string_view signal;  ///< traces, metrics
            std::uint64_t sent = 0;
            std::vector<std::pair<std::string_view, std::uint64_t>> dropped;  ///< by reason
        };
        std::vector<Otlp> otlp;
        std::vector<std::pair<std::string_view, std::uint64_t>> sns_messages;  // by result
        std::optional<double> credentials_expiry_seconds;
        std::uint64_t log_dropped = 0;    // LineWriter::dropped()
        std::uint64_t unclean_lines = 0;  // codec::unclean_lines()
        ConfigurationStatus configuration;
        std::vector<policy::ObservedRow> observed;
        std::vector<policy::BudgetStatus> budgets;
    };
    /// With process_* and weir_build_info.
    std::vector<prometheus::MetricFamily> collect(const Gauges& gauges);
    /// The same in Prometheus text format 0.0.4.
    std::string text(const Gauges& gauges);
    /// What was collected, as OpenMetrics with the exemplars of now.
    std::string open_metrics(const std::vector<prometheus::MetricFamily>& families);
    /// What the conventions for generative AI have, since the start.
    std::vector<OtlpHistogram> gen_ai();

    /// After a reload: labels that are configured now.
    void configure(std::vector<std::string> models, std::vector<std::string> clients);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::observe
