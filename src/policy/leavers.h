// What clients that left early gave back of a target's quota, and whether the service agrees.
#pragma once

#include <weir/time.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::policy {

/// Whether the service gives back what a cancelled call did not use is not documented. It is taken
/// to do so until it refuses a call that fits without, and not with, what was given back: then
/// cancelled calls keep their whole hold at this target for an hour.
class Leavers {
public:
    bool give_back(Instant now) const { return now >= whole_until_; }
    void gave_back(std::uint64_t tokens, Duration window, Instant now);
    /// The service refused `amount` by tokens while `used` of `limit` were counted here.
    void refused(std::uint64_t used, std::uint64_t amount, std::uint64_t limit, Duration window,
                 Instant now);

private:
    struct Slice {
        std::int64_t number = 0;
        std::uint64_t tokens = 0;
    };
    static constexpr std::size_t kSlices = 12;

    std::uint64_t recent(Duration window, Instant now) const;

    std::array<Slice, kSlices> slices_{};
    Instant whole_until_ = Instant::min();
};

}  // namespace weir::policy
