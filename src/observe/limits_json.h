// Limits as GET /status and GET /events have them.
#pragma once

#include <weir/engine.h>

#include <nlohmann/json.hpp>

#include <vector>

namespace weir::observe {

nlohmann::ordered_json limits_json(const std::vector<LimitStatus>& limits);

}  // namespace weir::observe
