// `weir incidents`: what the running gateway has opened and resolved.
#pragma once

#include "cli/gateway_admin.h"

#include <iosfwd>

namespace weir::cli {

struct IncidentsOptions {
    AdminAddress admin;
    bool json = false;
};

/// 0 done; 1 no answer; 2 wrong use. WEIR_ADMIN_KEY is sent where it is set.
int run_incidents(const IncidentsOptions& options, const Getenv& getenv, std::ostream& out,
                  std::ostream& err);

}  // namespace weir::cli
