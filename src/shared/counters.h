// What the store has done, for metrics.
#pragma once

#include "shared/failure.h"

#include <weir/time.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace weir::shared {

/// Written on the loop; any thread may read.
struct Counters {
    /// Upper ends of the latency's buckets; a slower answer is in none.
    static constexpr std::array<Duration, 8> kBuckets{
        std::chrono::microseconds(250), std::chrono::microseconds(500),
        std::chrono::milliseconds(1),   std::chrono::milliseconds(2),
        std::chrono::milliseconds(5),   std::chrono::milliseconds(10),
        std::chrono::milliseconds(25),  std::chrono::milliseconds(50)};

    std::atomic<bool> up{false};
    std::atomic<std::uint64_t> commands{0};     // of all kinds, PINGs included
    std::atomic<std::uint64_t> round_trips{0};  // writes, each of one command or several
    std::atomic<std::uint64_t> connections{0};  // made, TLS included
    std::atomic<std::uint64_t> answered{0};     // calls that got the script's reply
    std::array<std::atomic<std::uint64_t>, kStoreErrors> failed{};      // calls, by StoreError
    std::array<std::atomic<std::uint64_t>, kBuckets.size()> latency{};  // of `answered`
    std::atomic<std::uint64_t> latency_us{0};                           // the sum
};

}  // namespace weir::shared
