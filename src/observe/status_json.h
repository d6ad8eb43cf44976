// The engine's state as the JSON of GET /status.
#pragma once

#include "policy/budget.h"
#include "policy/shadow.h"

#include <weir/engine.h>

#include <string>
#include <vector>

namespace weir::observe {

/// The configuration in force, as a reload or the start left it.
struct ConfigurationStatus {
    std::string hash;
    std::int64_t since_unix_ms = 0;
    /// Settings that the file has otherwise, and that only a restart takes over.
    std::vector<std::string> needs_restart;
};

/// {"version", "targets": [...], "clients": [...], "waiting": [...], ...}; members as in
/// docs/operations.md.
std::string status_json(const Status& status, const std::vector<policy::ObservedRow>& observed,
                        const ConfigurationStatus& configuration = {},
                        const std::vector<policy::ObservedAdvice>& advice = {},
                        const std::vector<policy::BudgetStatus>& budgets = {}, int indent = 2);

/// 2026-11-30T12:00:00Z.
std::string iso_time(std::int64_t unix_ms);

/// GET /targets: of each target what an operator decides by, and the orders in force.
std::string targets_json(const Status& status);

/// GET /clients: of each client what waits and its limits, and the orders in force for clients.
std::string clients_json(const Status& status, const std::vector<policy::BudgetStatus>& budgets);

/// For the log: what `mode: observe` has shown of one client's calls to one model.
std::string observed_line(const policy::ObservedRow& row);

}  // namespace weir::observe
