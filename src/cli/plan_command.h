// `weir plan`: what would happen to a trace of traffic under a configuration.
#pragma once

#include "cli/plan_setup.h"

#include <iosfwd>

namespace weir::cli {

/// 0: done; 1: the picture cannot be written; 2: wrong use, configuration or trace.
int run_plan(const PlanOptions& options, const Getenv& getenv, std::ostream& out,
             std::ostream& err);

}  // namespace weir::cli
