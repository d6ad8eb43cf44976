// What a gateway did, in one line: the end of `weir run`.
#pragma once

#include <string>
#include <string_view>

namespace weir::cli {

/// `metrics`: Prometheus text of the gateway (docs/operations.md). Without the newline.
std::string run_report(std::string_view metrics);

}  // namespace weir::cli
