// `weir demo`: the same load, sent five ways at five equal stand-ins for Bedrock, side by side.
#pragma once

#include <cstdint>
#include <string>

namespace weir::cli {

struct DemoOptions {
    double seconds = 60;     ///< of real time, about
    bool json = false;       ///< results as JSON on stdout, nothing else there
    std::uint64_t seed = 0;  ///< 0: drawn; the same seed gives the same arrivals and window shape
    std::string svg;         ///< draw the result into this file; empty: no picture
    bool page = false;       ///< show the admin port's page under load, until a signal
    bool seconds_given = false;  ///< with `page`: end after `seconds`
    std::string from;  ///< show this file's result, an earlier run's JSON, instead of a run
};

/// Returns the exit code: 0 once there is a result, whatever it says; 1 if there is none or the
/// picture cannot be written; 2 if `from` cannot be read.
int run_demo(const DemoOptions& options);

}  // namespace weir::cli
