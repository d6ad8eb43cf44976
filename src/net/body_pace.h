// How long a request's body may take.
#pragma once

#include <weir/types.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weir::net {

/// From the first wait for it, a body has as long as a head, and a second more for each 1,000 bytes
/// that came: who sends a byte now and then would hold a place for ever otherwise. Apache's
/// mod_reqtimeout has the same rule, with 500.
class BodyPace {
public:
    void restart() { *this = BodyPace(); }
    void received(std::size_t bytes) { received_ += static_cast<std::int64_t>(bytes); }

    /// What is left at `now`; at least a millisecond, as a timer wants it.
    Duration left(Duration head_timeout, Instant now) {
        if (!waited_for_) {
            waited_ = now;
            waited_for_ = true;
        }
        const Instant end = waited_ + head_timeout + std::chrono::milliseconds(received_);
        return std::max(end - now, Duration(std::chrono::milliseconds(1)));
    }

private:
    bool waited_for_ = false;
    Instant waited_{};
    std::int64_t received_ = 0;  // a byte is a millisecond
};

}  // namespace weir::net
