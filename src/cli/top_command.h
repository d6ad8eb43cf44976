// `weir top`: what the running gateway does, live, worst first.
#pragma once

#include "cli/gateway_admin.h"

#include <iosfwd>
#include <string>

namespace weir::cli {

struct TopOptions {
    AdminAddress admin;
    std::string every = "1s";
};

/// 0 left by a key; 2 wrong use, or no terminal that can do this; 128+n: signal n has ended it.
int run_top(const TopOptions& options, const Getenv& getenv, std::ostream& err);

}  // namespace weir::cli
