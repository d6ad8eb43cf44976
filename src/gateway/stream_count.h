// How many streams are open, over all workers.
#pragma once

#include <atomic>
#include <cstdint>

namespace weir::gateway {

/// Counts one for as long as it lives.
class StreamCount {
public:
    explicit StreamCount(std::atomic<std::int64_t>& open) : open_(open) {
        open_.fetch_add(1, std::memory_order_relaxed);
    }
    StreamCount(const StreamCount&) = delete;
    StreamCount& operator=(const StreamCount&) = delete;
    ~StreamCount() { open_.fetch_sub(1, std::memory_order_relaxed); }

private:
    std::atomic<std::int64_t>& open_;
};

}  // namespace weir::gateway
