// The engine's state as the JSON of GET /status.
#pragma once

#include <weir/engine.h>

#include <string>

namespace weir::observe {

/// {"version", "targets": [...], "clients": [...], "waiting": [...], ...}; members as in
/// docs/operations.md.
std::string status_json(const Status& status);

}  // namespace weir::observe
