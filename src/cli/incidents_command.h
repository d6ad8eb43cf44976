// `weir incidents`: what the running gateway has opened and resolved.
#pragma once

#include "cli/config_file.h"

#include <iosfwd>
#include <string>

namespace weir::cli {

struct IncidentsOptions {
    std::string config;  // weir.yaml that the gateway runs with
    std::string url;     // of its admin port, instead of what is configured
    bool json = false;
};

/// 0 done; 1 no answer; 2 wrong use. WEIR_ADMIN_KEY is sent where it is set.
int run_incidents(const IncidentsOptions& options, const Getenv& getenv, std::ostream& out,
                  std::ostream& err);

}  // namespace weir::cli
