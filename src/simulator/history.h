// What each call was charged and when, for whoever checks a client from outside.
#pragma once

#include <weir/time.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace weir::simulator {

/// The last kMost calls that were accepted, or refused for want of quota. Not thread-safe.
class History {
public:
    static constexpr std::size_t kMost = 100'000;

    struct Call {
        const std::string* model = nullptr;  ///< of a map that outlives this
        Instant at{};
        std::uint64_t held = 0;  ///< tokens, from `at` until it settles
        bool refused = false;
        std::optional<Instant> settled;
        std::uint64_t cost = 0;  ///< tokens, once settled
    };

    /// The number of the call, for settle().
    std::uint64_t add(const Call& call) {
        calls_.push_back(call);
        if (calls_.size() > kMost) {
            calls_.pop_front();
            ++first_;
        }
        return first_ + calls_.size() - 1;
    }

    void settle(std::uint64_t number, std::uint64_t cost, Instant now) {
        if (number >= first_) {
            Call& call = calls_[number - first_];
            call.settled = now;
            call.cost = cost;
        }
    }

    const std::deque<Call>& calls() const { return calls_; }

private:
    std::deque<Call> calls_;
    std::uint64_t first_ = 0;
};

}  // namespace weir::simulator
