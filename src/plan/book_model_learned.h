// What the books of one quota keep of limits that nobody configured.
#pragma once

#include <weir/shared_books.h>

#include <array>
#include <cstdint>

namespace weir::plan {

/// One limit for all instances: what one of them learns all adopt, and what was accepted from any
/// of them is accepted from all.
///
/// Calls beyond a learned limit show whether it still holds. The books give them, so that many
/// instances probe no more than one: in rounds of steps, one call in the first step and twice as
/// much in each that follows, up to a fiftieth of the limit, until something is refused. The pause
/// between two rounds is twice as long after each, up to two windows, and as short as at first once
/// the limit has risen by a fiftieth. Without a refusal for sixty windows the limit is forgotten.
class LearnedInBooks {
public:
    /// Microseconds of the store's clock.
    using Time = std::int64_t;

    void expire(Time now, Time window);
    void take(const BookExchange& asked, Time now, Time window);
    /// `part`: of the limit.
    bool may_probe(double part, Time now) const {
        return next_ <= now || (going_on_ && probed_ + part <= step_);
    }
    void probes(double part, Time now, Time window);
    void tell(BookAnswer& answer, Time now) const;

private:
    static constexpr std::int64_t kParts = 6;
    static constexpr std::int64_t kPartWindows = 10;
    static constexpr std::int64_t kRemembered = 60;

    struct Limit {
        std::int64_t limit = 0;
        std::int64_t risen = 0;  ///< what it was when the pause was made short
        Time confirmed = 0;
        std::array<std::int64_t, kParts> peaks{};  ///< of ten windows each
    };
    std::array<Limit, kLearned> limits_;
    std::int64_t part_ = 0;
    Time next_ = 0;
    Time pause_ = 0;
    double step_ = 0;    ///< parts of the limit that may be probed in this step
    double probed_ = 0;  ///< that were
    bool going_on_ = false;
};

}  // namespace weir::plan
