// One second of GET /events. Pure.
#pragma once

#include "observe/costs.h"
#include "observe/live_history.h"
#include "observe/status_json.h"

#include <weir/config.h>
#include <weir/engine.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace weir::observe {

struct LiveFrame {
    std::int64_t unix_ms = 0;
    std::string_view instance;
    const Config* config = nullptr;
    ConfigurationStatus configuration;
    bool reload_offered = false;
    std::string incidents;  ///< as GET /incidents has them
    std::vector<policy::BudgetStatus> budgets = {};
    /// What a client's calls have cost here on this UTC day; empty: not told.
    std::function<NanoDollars(std::string_view client)> spent_today = {};
};

/// The targets of routes that no call has had to do with so far, which `status` does not have: a
/// JSON array, of 500 at most.
std::string unused_json(const Config& config, const Status& status);

/// {"time_ms", "status", "clients", "counts", "latency", "incidents", ...}; members as in
/// docs/operations.md. `status` is that of GET /status, but for the clients, of which `clients`
/// says more.
std::string live_frame_json(const LiveFrame& frame, Status status, const LiveCounts& counts,
                            const RecentLatencies& latencies);

}  // namespace weir::observe
