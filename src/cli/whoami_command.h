// `weir whoami`: whose keys weir signs with, where they come from and until when they last.
#pragma once

#include "cli/config_file.h"

#include <iosfwd>
#include <string>

namespace weir::cli {

/// 0: every identity is known; 1: one is not; 2: wrong use.
int run_whoami(const std::string& config_path, bool json, const Getenv& getenv, std::ostream& out,
               std::ostream& err);

}  // namespace weir::cli
