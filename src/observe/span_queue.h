// Requests that have ended, on their way from the workers to the thread that exports their spans.
#pragma once

#include "observe/trace_context.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::observe {

struct TracedLife {
    RequestTrace trace;
    std::string packed;  ///< observe::pack() of its Life
};

/// Why data for OpenTelemetry were not sent.
enum class OtlpDrop : std::uint8_t {
    rate,      ///< more of one client than ClientBuckets lets pass
    queue,     ///< the queue was full
    rejected,  ///< the collector does not take them
    late,      ///< the collector took none for too long, or weir stopped
};
constexpr std::array<std::string_view, 4> kOtlpDrops{"rate", "queue", "rejected", "late"};

/// Counts since the start, for any thread. Of traces: requests, not spans.
struct OtlpCounts {
    std::atomic<std::uint64_t> sent{0};
    std::array<std::atomic<std::uint64_t>, kOtlpDrops.size()> dropped{};

    /// A collector took `count`, except `rejected` of them.
    void take(std::uint64_t count, std::uint64_t rejected) {
        sent += count - std::min(count, rejected);
        drop(OtlpDrop::rejected, rejected);
    }
    void drop(OtlpDrop why, std::uint64_t count = 1) {
        dropped[static_cast<std::size_t>(why)] += count;
    }
};

/// Bounded: what finds no room is dropped and counted. Thread-safe.
class SpanQueue {
public:
    static constexpr std::size_t kMostBytes = 8UL << 20;
    static constexpr std::size_t kMostRequests = 20'000;

    void push(TracedLife life) {
        const std::lock_guard lock(mutex_);
        if (lives_.size() >= kMostRequests || bytes_ + size_of(life) > kMostBytes) {
            counts.drop(OtlpDrop::queue);
            return;
        }
        bytes_ += size_of(life);
        lives_.push_back(std::move(life));
    }

    /// The oldest, in order: at most `most` and about `bytes` of them.
    std::vector<TracedLife> take(std::size_t most, std::size_t bytes) {
        std::vector<TracedLife> taken;
        const std::lock_guard lock(mutex_);
        std::size_t size = 0;
        while (!lives_.empty() && taken.size() < most && size < bytes) {
            size += size_of(lives_.front());
            taken.push_back(std::move(lives_.front()));
            lives_.pop_front();
        }
        bytes_ -= size;
        return taken;
    }

    OtlpCounts counts;

private:
    static std::size_t size_of(const TracedLife& life) {
        return sizeof life + life.packed.size() + life.trace.state.size();
    }

    std::mutex mutex_;
    std::deque<TracedLife> lives_;
    std::size_t bytes_ = 0;
};

}  // namespace weir::observe
