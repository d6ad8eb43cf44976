// `weir check` and `weir print-config`: a configuration file looked at, not run.
#pragma once

#include "cli/config_file.h"

#include <iosfwd>
#include <string>

namespace weir::cli {

/// Exit code 0 and one line on `out`, or 2 and every complaint on `err`. Warnings go to `err` and
/// change nothing, unless `strict` makes them mistakes.
int run_check(const std::string& path, const Getenv& getenv, std::ostream& out, std::ostream& err,
              bool strict = false);
/// `path` empty: the defaults. Exit code 2 and the complaints if the file is not good.
int run_print_config(const std::string& path, const Getenv& getenv, std::ostream& out,
                     std::ostream& err);

}  // namespace weir::cli
