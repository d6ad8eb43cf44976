// The engine's state as the JSON of GET /status.
#pragma once

#include "policy/shadow.h"

#include <weir/engine.h>

#include <string>
#include <vector>

namespace weir::observe {

/// {"version", "targets": [...], "clients": [...], "waiting": [...], ...}; members as in
/// docs/operations.md.
std::string status_json(const Status& status, const std::vector<policy::ObservedRow>& observed);

/// For the log: what `mode: observe` has shown of one client's calls to one model.
std::string observed_line(const policy::ObservedRow& row);

}  // namespace weir::observe
