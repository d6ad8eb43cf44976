// Counters that many threads add to, kept apart until somebody reads them.
#pragma once

#include <cstddef>
#include <functional>
#include <thread>

namespace weir::observe {

inline constexpr std::size_t kShards = 16;

/// Which of them the calling thread adds to; a few threads may have the same.
inline std::size_t shard_of_thread() {
    thread_local const std::size_t mine =
        std::hash<std::thread::id>{}(std::this_thread::get_id()) % kShards;
    return mine;
}

}  // namespace weir::observe
