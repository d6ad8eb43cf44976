#pragma once

#include <string>

namespace weir::cli {

std::string version();

}  // namespace weir::cli
