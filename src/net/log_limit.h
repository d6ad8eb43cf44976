// Warnings that a peer can cause at will.
#pragma once

#include <weir/time.h>

#include <chrono>
#include <cstdint>
#include <optional>

namespace weir::net {

/// At most one line in a second; the next one tells how many were left out. Time is an argument.
class LogLimit {
public:
    static constexpr Duration kEvery = std::chrono::seconds(1);

    /// How many were left out since the last line; nullopt: leave this one out as well.
    std::optional<std::uint64_t> admit(Instant now) {
        if (said_ && now - *said_ < kEvery) {
            ++left_out_;
            return std::nullopt;
        }
        said_ = now;
        const std::uint64_t before = left_out_;
        left_out_ = 0;
        return before;
    }

private:
    std::optional<Instant> said_;
    std::uint64_t left_out_ = 0;
};

}  // namespace weir::net
