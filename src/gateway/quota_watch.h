// Reads limits and inference profiles from AWS, at start and every hour, on a thread of its own.
#pragma once

#include "gateway/periodic_thread.h"
#include "gateway/quota_findings.h"
#include "gateway/snapshot.h"

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace weir::gateway {

/// Whether limits of this Region are to be read from AWS.
bool reads_quotas(const AwsConfig& aws, const RegionConfig& region);

/// Nothing waits for it: whatever AWS answers, or does not, the last good reading stays in force.
/// Its end takes about a second while AWS is asked.
class QuotaWatch {
public:
    struct Ends {
        std::function<std::shared_ptr<const Snapshot>()> snapshot;
        std::function<Status()> status;
        /// Puts them in force; called after each reading, and every minute because other models
        /// may be in use by then.
        std::function<void(const FindingsByAccount&)> take;
        LogSink log;
    };
    explicit QuotaWatch(Ends ends);

    /// The configuration has changed: reads again now.
    void nudge() { thread_.nudge(); }
    /// Asks the thread to end; the destructor waits for it.
    void stop() { thread_.stop(); }

private:
    struct Place;
    Duration once(bool nudged);
    std::vector<Place> places() const;
    bool read_all();
    bool has_new_region() const;
    void tell_failures(const std::string& what, const std::string& regions, const std::string& text,
                       std::string& told) const;

    Ends ends_;
    FindingsByAccount findings_;   // the thread's own
    std::set<std::string> tried_;  // places of the last reading; the thread's own
    std::string told_quotas_;      // what the log said last; said again when it changes
    std::string told_profiles_;
    std::chrono::steady_clock::time_point next_{};  // reading; the thread's own
    PeriodicThread thread_{[this](bool nudged) { return once(nudged); }};  // last: uses all
};

}  // namespace weir::gateway
