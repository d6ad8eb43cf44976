// A CloudWatch dashboard of the configured Regions and models. Pure.
#pragma once

#include <weir/config.h>
#include <weir/result.h>

#include <nlohmann/json_fwd.hpp>

#include <chrono>

namespace weir::aws {

/// DashboardBody. 429 and 503 have widgets of their own. CloudWatch cannot shift time, so the week
/// before `now` is shown by its dates: to move it on, the dashboard is put again.
Result<nlohmann::json> make_dashboard(const Config& config,
                                      std::chrono::system_clock::time_point now);

}  // namespace weir::aws
