#include "plan/book_model_learned.h"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace weir::plan {

namespace {
using Time = LearnedInBooks::Time;

// As in policy/meter_constants.h, but that the verdict on a probe takes the way over the store.
constexpr std::int64_t kFirstPause = 30;  // parts of a window
constexpr std::int64_t kLongestPause = 2;
constexpr std::int64_t kBetween = 300;  // parts of a window, in a round
constexpr Time kLeastBetween = 200'000;
constexpr double kLargestStep = 0.125;  // of the limit
constexpr std::int64_t kRisen = 50;     // parts of it
}  // namespace

void LearnedInBooks::expire(Time now, Time window) {
    const std::int64_t part = now / (kPartWindows * window);
    for (Limit& l : limits_) {
        for (std::int64_t i = std::max(part_ + 1, part - kParts + 1); i <= part; ++i) {
            l.peaks[static_cast<std::size_t>(i % kParts)] = 0;
        }
        if (l.limit > 0 && now - l.confirmed > kRemembered * window) {
            l.limit = 0;
        }
    }
    part_ = std::max(part_, part);
}

void LearnedInBooks::take(const BookExchange& asked, Time now, Time window) {
    const Time first_pause = window / kFirstPause;
    bool refused = false;
    for (std::size_t b = 0; b < kLearned; ++b) {
        const BookExchange::Learned& told = asked.learned[b];
        Limit& l = limits_[b];
        if (told.limit > 0) {
            if (l.limit == 0) {
                l.confirmed = now;
                l.risen = 0;
                next_ = now + first_pause;
            }
            if (told.limit > l.risen + l.risen / kRisen) {
                l.risen = told.limit;
                pause_ = first_pause;
            }
            l.risen = std::min(l.risen, told.limit);
            l.limit = told.limit;
        }
        auto& peak = l.peaks[static_cast<std::size_t>(part_ % kParts)];
        peak = std::max(peak, told.peak);
        if (told.refused) {
            l.confirmed = now;
            refused = true;
        }
    }
    if (refused && going_on_) {
        going_on_ = false;
        pause_ = std::min(2 * pause_, kLongestPause * window);
        next_ = now + pause_;
    }
}

void LearnedInBooks::probes(double part, Time now, Time window) {
    if (next_ <= now) {
        step_ = going_on_ ? std::min(2 * probed_, kLargestStep) : 0;
        probed_ = 0;
        next_ = now + std::max(kLeastBetween, window / kBetween);
        going_on_ = true;
    }
    probed_ += part;
}

void LearnedInBooks::tell(BookAnswer& answer, Time now) const {
    for (std::size_t b = 0; b < kLearned; ++b) {
        const Limit& l = limits_[b];
        answer.learned[b] = {
            .limit = l.limit,
            .peak = *std::ranges::max_element(l.peaks),
            .confirmed = std::chrono::microseconds(l.limit > 0 ? now - l.confirmed : 0)};
    }
}

}  // namespace weir::plan
