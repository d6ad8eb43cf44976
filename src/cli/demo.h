// `weir demo`: the same load, sent five ways at five equal stand-ins for Bedrock, side by side.
#pragma once

#include <cstdint>

namespace weir::cli {

struct DemoOptions {
    double seconds = 60;     ///< of real time, about
    bool json = false;       ///< results as JSON on stdout, nothing else there
    std::uint64_t seed = 0;  ///< 0: drawn; the same seed gives the same arrivals and window shape
};

/// Returns the exit code: 0 once there is a result, whatever it says.
int run_demo(const DemoOptions& options);

}  // namespace weir::cli
