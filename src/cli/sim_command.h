// `weir sim`: the stand-in for Bedrock as a program.
#pragma once

#include "simulator/simulator.h"

namespace weir::cli {

/// Runs until SIGTERM or SIGINT. Says on stdout where each Region listens and which seed it has.
/// Returns the exit code.
int run_sim(const simulator::Settings& settings);

}  // namespace weir::cli
