// `weir demo --page`: a gateway under load that goes on, for whoever looks at its page.
#pragma once

#include "cli/demo.h"

namespace weir::cli {

/// Prints the page's address. Ends with SIGINT or SIGTERM, or after `seconds` if they are given.
/// Returns the exit code.
int run_demo_page(const DemoOptions& options);

}  // namespace weir::cli
