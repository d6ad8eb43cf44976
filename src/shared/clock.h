// The clock of a loop's timers, for code on the loop.
#pragma once

#include <weir/time.h>

#include <chrono>

namespace weir::shared {

inline Instant clock_now() {
    return std::chrono::steady_clock::now();
}

}  // namespace weir::shared
