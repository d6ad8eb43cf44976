// How much of something unproductive a peer may do.
#pragma once

#include <weir/time.h>

#include <algorithm>
#include <cstdint>

namespace weir::net {

/// A token bucket: `burst` at once, `rate` a second after that. Time is an argument.
class Allowance {
public:
    Allowance(std::uint32_t burst, std::uint32_t rate, Instant now)
        : burst_(std::int64_t{burst} * kOne), left_(burst_), rate_(rate), last_(now) {}

    /// False: it is used up.
    bool take(Instant now) {
        const auto passed = std::min<Duration>(now - last_, std::chrono::minutes(1));
        last_ = now;
        left_ = std::min(burst_, left_ + passed.count() * rate_);
        if (left_ < kOne) {
            return false;
        }
        left_ -= kOne;
        return true;
    }
    void give(std::uint32_t tokens) {
        left_ = std::min(burst_, left_ + std::int64_t{tokens} * kOne);
    }

private:
    static constexpr std::int64_t kOne = Duration(std::chrono::seconds(1)).count();
    std::int64_t burst_;
    std::int64_t left_;
    std::int64_t rate_;
    Instant last_;
};

}  // namespace weir::net
