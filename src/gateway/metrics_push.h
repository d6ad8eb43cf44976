// Sends weir's metrics to CloudWatch once a minute, or writes them into the access log, on a thread
// of its own: what AWS answers, and when, is no matter to a request.
#pragma once

#include "aws/api.h"
#include "aws/metric_data.h"
#include "gateway/periodic_thread.h"
#include "gateway/snapshot.h"

#include <weir/config.h>
#include <weir/types.h>

#include <prometheus/metric_family.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::gateway {

class MetricsPush {
public:
    struct Parts {
        std::function<std::shared_ptr<const Snapshot>()> snapshot;  // in force
        std::function<std::vector<prometheus::MetricFamily>()> scrape;
        std::function<void(std::string_view)> write_line;  // of the access log; empty: none
        std::function<std::shared_ptr<KeySource>()> keys;  // those in force; may block
        LogSink log;
    };
    /// Counts since the start, read from any thread.
    struct Counters {
        std::atomic<std::uint64_t> sent{0};
        std::atomic<std::uint64_t> dropped{0};
        std::atomic<std::uint64_t> left_out{0};  // beyond max_series
    };

    explicit MetricsPush(Parts parts);

    const Counters& counters() const { return counters_; }

private:
    Duration once();
    void collect(const Config& config);
    void send(const Config& config);
    void log(LogLevel level, const std::string& text) const;

    Parts parts_;
    Counters counters_;
    aws::MetricDeltas deltas_;
    aws::MetricQueue queue_;
    bool failing_ = false;
    PeriodicThread thread_{[this](bool) { return once(); }};  // last: uses all
};

/// Families of a scrape as samples.
std::vector<aws::Sample> to_samples(const std::vector<prometheus::MetricFamily>& families);

}  // namespace weir::gateway
