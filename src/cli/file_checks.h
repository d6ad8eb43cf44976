// The files that a configuration names, looked at before anybody depends on them.
#pragma once

#include <weir/config.h>

#include <vector>

namespace weir::cli {

/// Certificates, keys and trusted certificates that `weir serve` could not use.
std::vector<Problem> file_problems(const Config& config);

}  // namespace weir::cli
