// Sends traces and metrics to an OpenTelemetry collector, on a thread of its own: what the
// collector answers, and when, is no matter to a request.
#pragma once

#include "aws/http_call.h"
#include "gateway/periodic_thread.h"
#include "gateway/snapshot.h"
#include "observe/otlp.h"
#include "observe/otlp_retry.h"
#include "observe/span_queue.h"

#include <weir/config.h>
#include <weir/types.h>

#include <prometheus/metric_family.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

/// How long the end of the gateway waits for a collector.
inline constexpr Duration kLongestFlush = std::chrono::seconds(2);

class OtlpExport {
public:
    struct Parts {
        std::function<std::shared_ptr<const Snapshot>()> snapshot;  // in force
        std::function<std::vector<prometheus::MetricFamily>()> scrape;
        std::function<std::vector<observe::OtlpHistogram>()> gen_ai;
        observe::SpanQueue* spans = nullptr;    // outlives this
        observe::OtlpCounts* points = nullptr;  // of metrics, likewise
        std::string instance;                   // service.instance.id
        std::int64_t started_unix_ms = 0;       // since then the metrics count
        std::uint64_t seed = 0;
        LogSink log;
    };

    explicit OtlpExport(Parts parts);
    /// Sends what is left, for kLongestFlush at most.
    ~OtlpExport();
    OtlpExport(const OtlpExport&) = delete;
    OtlpExport& operator=(const OtlpExport&) = delete;

private:
    /// What the collector made of a request.
    enum class Answer : std::uint8_t { taken, later, never };
    struct Batch {
        std::string body;  // as it is sent
        std::uint64_t count = 0;
    };
    struct Limits {
        std::chrono::milliseconds longest;
        const std::atomic<bool>& stop;
    };

    Duration once();
    void send_traces(const Config& config, const Limits& limits);
    bool next_traces(const Snapshot& snapshot);
    void send_metrics(const Config& config, const Limits& limits);
    /// What belongs to traces or to metrics alone.
    struct Signal {
        std::string_view name;
        observe::OtlpRetry retry;
        bool failing = false;        // the log has said so
        std::uint64_t rejected = 0;  // of what was taken last
    };

    Answer post(const OtlpConfig& otlp, Signal& signal, const std::string& body,
                const Limits& limits);
    void complain(Signal& signal, const std::string& what);
    observe::OtlpResource resource(const OtlpConfig& otlp) const;
    void log(LogLevel level, const std::string& text) const;

    Parts parts_;
    Batch traces_;  // being sent
    Signal to_traces_;
    Signal to_metrics_;
    Instant metrics_due_{};
    std::atomic<bool> stop_{false};
    std::optional<PeriodicThread> thread_;  // last: uses all
};

}  // namespace weir::gateway
