// How long a request's body may take.
#pragma once

#include <weir/types.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weir::net {

/// A body must keep up a rate at every moment, not on average: a fast start earns no long pause.
/// Each byte moves the deadline of the next one, which is never further away than the time limit
/// of a head. The rate is at least 1,000 bytes a second, and at least the rate that doubles the
/// bytes held in 300 seconds: the more memory a body holds, the faster it must arrive.
/// Apache's mod_reqtimeout has the same rule with 500 bytes a second, but cumulative.
class BodyPace {
public:
    static constexpr std::uint64_t kLeastRate = 1000;
    static constexpr std::uint64_t kDoubling = 300;  // seconds

    void restart() { *this = BodyPace(); }
    void received(std::size_t bytes) {
        const std::uint64_t rate = std::max(kLeastRate, held_ / kDoubling);
        credit_ += std::chrono::microseconds(bytes * 1'000'000 / rate);
        held_ += bytes;
    }

    /// The time left at `now`; at least a millisecond, the minimum of a timer.
    Duration left(Duration head_timeout, Instant now) {
        end_ = waited_for_ ? std::min(end_ + credit_, now + head_timeout) : now + head_timeout;
        waited_for_ = true;
        credit_ = {};
        return std::max(end_ - now, Duration(std::chrono::milliseconds(1)));
    }

private:
    bool waited_for_ = false;
    Instant end_{};
    Duration credit_{};
    std::uint64_t held_ = 0;
};

}  // namespace weir::net
