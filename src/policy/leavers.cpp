#include "policy/leavers.h"

#include <algorithm>

namespace weir::policy {

namespace {
constexpr Duration kWholeFor = std::chrono::hours(1);

std::int64_t number_of(Instant at, Duration window, std::size_t slices) {
    return at.time_since_epoch() /
           std::max<Duration>(window / static_cast<std::int64_t>(slices - 1), Duration(1));
}
}  // namespace

void Leavers::gave_back(std::uint64_t tokens, Duration window, Instant now) {
    const std::int64_t number = number_of(now, window, kSlices);
    Slice& slice = slices_[static_cast<std::uint64_t>(number) % kSlices];
    if (slice.number != number) {
        slice = {number, 0};
    }
    slice.tokens += tokens;
}

std::uint64_t Leavers::recent(Duration window, Instant now) const {
    const std::int64_t oldest =
        number_of(now, window, kSlices) - static_cast<std::int64_t>(kSlices);
    std::uint64_t sum = 0;
    for (const Slice& slice : slices_) {
        sum += slice.number > oldest ? slice.tokens : 0;
    }
    return sum;
}

void Leavers::refused(std::uint64_t used, std::uint64_t amount, std::uint64_t limit,
                      Duration window, Instant now) {
    const std::uint64_t back = recent(window, now);
    const bool fits = used + amount <= limit;
    if (back > 0 && fits && used + amount + back > limit) {
        whole_until_ = now + kWholeFor;
    }
}

}  // namespace weir::policy
