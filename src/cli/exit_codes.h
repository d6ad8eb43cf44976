// What the commands tell the shell.
#pragma once

namespace weir::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUse = 2;  // of the command line, or of a file that it names

}  // namespace weir::cli
