// The files that a configuration names, looked at before anybody depends on them.
#pragma once

#include <weir/config.h>

#include <string>
#include <vector>

namespace weir::cli {

/// Certificates, keys and trusted certificates that are read when it is put in force.
std::vector<std::string> named_files(const Config& config);

/// Certificates, keys, trusted certificates and a state file that `weir serve` could not use.
std::vector<Problem> file_problems(const Config& config);

}  // namespace weir::cli
