// `weir serve`: the gateway as a process: its log, its signals, its exit code.
#pragma once

#include <string>

namespace weir::cli {

/// Runs until SIGTERM or SIGINT, then drains. `config_path` empty: defaults. Returns the exit code.
int run_serve(const std::string& config_path);

}  // namespace weir::cli
