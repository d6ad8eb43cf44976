// Samples the gateway for the page: its history always, a frame a second while somebody listens. On
// a thread of its own, so that no worker computes or waits.
#pragma once

#include "gateway/background_thread.h"
#include "gateway/live_listeners.h"
#include "gateway/periodic_thread.h"
#include "gateway/snapshot.h"
#include "net/loop.h"
#include "observe/ledger.h"
#include "observe/live_frame.h"
#include "observe/live_history.h"

#include <weir/engine.h>

#include <prometheus/metric_family.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

class LiveFeed {
public:
    struct Parts {
        std::function<std::shared_ptr<const Snapshot>()> snapshot;  // in force
        std::function<observe::ConfigurationStatus()> configuration;
        std::function<Status()> status;
        std::function<std::vector<prometheus::MetricFamily>()> scrape;
        std::function<std::string()> incidents;
        std::function<std::vector<policy::BudgetStatus>()> budgets;
        std::function<observe::Spent(std::string_view client, std::int64_t unix_seconds)> spent;
        std::string instance;
        bool reload_offered = false;
    };
    /// `loop`: the admin port's. Outlives this.
    LiveFeed(Parts parts, net::Loop& loop);

    /// On the admin port's loop.
    net::Task<void> answer_events(net::Downstream& downstream);
    net::Task<void> answer_history(net::Downstream& downstream);

    /// Ends the streams soon: who may listen has changed. Thread-safe.
    void cut();
    /// Ends the sampling, and the streams soon. Blocks for a sample under way: not for the loop's
    /// thread.
    void stop();

private:
    Duration once();

    Parts parts_;
    net::Loop& loop_;
    LiveListeners listeners_{[this] { thread_->nudge(); }};
    std::mutex mutex_;  // over the next one
    observe::LiveHistory history_;
    std::int64_t sampled_ = 0;  // the thread's own
    std::optional<BackgroundThread> answers_{std::in_place};
    std::optional<PeriodicThread> thread_;  // last: uses all
};

}  // namespace weir::gateway
