// The demo's load: who asks what and when. Times and quotas here are uncompressed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::cli {

/// Of the quotas of a row, and what comes in, uncompressed.
inline constexpr double kDemoLoad = 1.2;
inline constexpr double kDemoCallsPerSecond = 4;
/// What the SDKs wait for an answer (in seconds), and so how long a call of the demo may last.
inline constexpr double kDemoPatience = 60;

struct DemoCall {
    double at = 0;  ///< seconds since the start
    std::uint32_t client = 0;
    std::uint64_t input = 0;  ///< tokens
    std::uint64_t output = 0;
    bool stream = false;
};

/// Invariant: calls are in order of time; client 0 is the heavy one.
struct DemoTrace {
    std::vector<std::string> clients;
    std::vector<DemoCall> calls;
    double seconds = 0;
    std::uint64_t max_tokens = 0;         ///< every call's
    std::uint64_t burndown = 0;           ///< of the model
    std::uint64_t tokens_per_minute = 0;  ///< the quota of which the load is `load` times
    double load = 0;
};

/// Each client switches between calm and bursts of five times the rate; one sends half of all.
DemoTrace make_trace(std::uint64_t seed, double seconds, double calls_per_second, double load);

/// Text that counts as about this many tokens at four characters each.
std::string make_prompt(const DemoCall& call);

}  // namespace weir::cli
