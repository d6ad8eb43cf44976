// The two clocks of the gateway. Policy and the pure parts take the time as an argument.
#pragma once

#include <weir/time.h>

#include <cstdint>
#include <ctime>

namespace weir::gateway {

inline Instant now() {
    return std::chrono::steady_clock::now();
}

/// Wall time to the kernel's tick: it dates signatures and log lines.
inline std::int64_t unix_ms() {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &time);
    return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

}  // namespace weir::gateway
