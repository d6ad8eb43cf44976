// `weir doctor`: what keeps weir from calling Bedrock, and what to do about it.
#pragma once

#include "cli/config_file.h"

#include <iosfwd>
#include <string>

namespace weir::cli {

/// 0: all is well, or could not be told; 1: something is wrong; 2: wrong use.
int run_doctor(const std::string& config_path, bool json, const Getenv& getenv, std::ostream& out,
               std::ostream& err);

}  // namespace weir::cli
