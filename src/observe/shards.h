// Counters that many threads add to, kept apart until somebody reads them.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>

namespace weir::observe {

inline constexpr std::size_t kShards = 16;

/// Which of them the calling thread adds to; a few threads may have the same.
inline std::size_t shard_of_thread() {
    thread_local const std::size_t mine =
        std::hash<std::thread::id>{}(std::this_thread::get_id()) % kShards;
    return mine;
}

/// All of them, in order: what is held so lets nobody count.
template <class Shard>
std::array<std::unique_lock<std::mutex>, kShards> lock_all(std::array<Shard, kShards>& shards) {
    std::array<std::unique_lock<std::mutex>, kShards> locks;
    for (std::size_t i = 0; i < kShards; ++i) {
        locks[i] = std::unique_lock(shards[i].mutex);
    }
    return locks;
}

}  // namespace weir::observe
