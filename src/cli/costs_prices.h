// `weir costs --prices`: the prices that count, with their sources.
#pragma once

#include <weir/config.h>

#include <nlohmann/json.hpp>

#include <string>

namespace weir::cli {

/// Those of the configuration first, as they are looked for.
nlohmann::ordered_json prices_json(const Config& config);
std::string prices_text(const nlohmann::ordered_json& prices);
std::string prices_csv(const nlohmann::ordered_json& prices);

}  // namespace weir::cli
