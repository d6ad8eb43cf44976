// What kind of terminal this is: in a file of its own, because <term.h> makes macros of common
// words.
#pragma once

#include <string>

namespace weir::cli {

/// Standard output's terminal is described here under this name, and can place text anywhere on its
/// screen.
bool can_place_text(const std::string& terminal);

}  // namespace weir::cli
