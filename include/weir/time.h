// Time in weir: one monotonic clock, always an argument.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir {

using Duration = std::chrono::nanoseconds;

/// A point on the monotonic clock. Library code never reads the clock: every entry point takes
/// `Instant now`, so a day of traffic can be simulated in seconds, and a jump of the wall clock has
/// no effect.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

constexpr double to_seconds(Duration d) {
    return std::chrono::duration<double>(d).count();
}

constexpr std::int64_t to_ms(Duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

constexpr Duration from_seconds(double s) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

}  // namespace weir
