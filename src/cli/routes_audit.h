// `weir routes --audit`: where each route may send its calls and where they may be processed.
#pragma once

#include "cli/config_file.h"

#include <iosfwd>
#include <string>

namespace weir::cli {

struct RoutesOptions {
    std::string config;
    bool audit = false;
    bool json = false;
    bool offline = false;  // Bedrock is not asked for destinations
};

/// Exit codes: 0 done; 1 a target contradicts its route's residency; 2 wrong use.
int run_routes(const RoutesOptions& options, const Getenv& getenv, std::ostream& out,
               std::ostream& err);

}  // namespace weir::cli
