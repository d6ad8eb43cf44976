#include "policy/learned_limit.h"

#include <algorithm>

namespace weir::policy {

namespace {
constexpr int kPartWindows = 10;
constexpr std::uint64_t kLeastRequests = 60;
// Values that were tried: docs/tuning.md.
// The part of an accepted use that is certain: input is estimated, and the service may have
// forgotten some of it.
constexpr double kKept = 0.985;
// Refusals agree if their uses differ by at most this part.
constexpr double kAgree = 0.25;
// If as much as was refused is accepted within this part of a window, it had another cause.
constexpr int kSoon = 6;
}  // namespace

LearnedLimit::LearnedLimit(LimitKind kind, Duration window) : kind_(kind), window_(window) {}

std::uint64_t LearnedLimit::peak() const {
    return *std::ranges::max_element(peaks_);
}

std::uint64_t LearnedLimit::least() const {
    const std::uint64_t floor = kind_ == LimitKind::requests ? kLeastRequests : 2 * largest_;
    const auto seen =
        static_cast<std::uint64_t>(kKept * static_cast<double>(std::max(peak(), others_peak_)));
    return std::max<std::uint64_t>({seen, floor, 1});
}

void LearnedLimit::tick(Instant now) {
    const std::int64_t part = now.time_since_epoch() / (window_ * kPartWindows);
    for (std::size_t gone = 0; part_ < part && gone < kParts; ++gone) {
        peaks_[static_cast<std::size_t>(++part_) % kParts] = 0;
    }
    part_ = part;
    if (refused_at_ != Instant::min() && now - refused_at_ > window_ * kRememberedWindows) {
        forget();
    }
}

void LearnedLimit::forget() {
    limit_.reset();
    disputed_ = 0;
    refused_at_ = Instant::min();
}

void LearnedLimit::adopt(std::uint64_t limit, Instant confirmed) {
    limit_ = std::max(limit, least());
    disputed_ = 0;
    refused_at_ = std::max(refused_at_, confirmed);
}

void LearnedLimit::join(const LearnedLimit& other) {
    for (std::size_t i = 0; i < kParts; ++i) {
        peaks_[i] = std::max(peaks_[i], other.peaks_[i]);
    }
    largest_ = std::max(largest_, other.largest_);
    refused_at_ = std::max(refused_at_, other.refused_at_);
    limit_ = std::max(limit_, other.limit_);
    disputed_ = limit_ ? 0 : std::max(disputed_, other.disputed_);
}

EngineState::Learned LearnedLimit::remember(Instant now) const {
    EngineState::Learned out;
    out.limit = limit_;
    for (std::size_t i = 0; i < kParts; ++i) {
        out.peaks[i] = peaks_[static_cast<std::size_t>(part_ + static_cast<std::int64_t>(kParts) -
                                                       static_cast<std::int64_t>(i)) %
                              kParts];
    }
    out.largest = largest_;
    out.disputed = disputed_;
    if (refused_at_ != Instant::min()) {
        out.refused = now - refused_at_;
    }
    return out;
}

void LearnedLimit::recall(const EngineState::Learned& past, Duration age, Instant now) {
    tick(now);
    const auto gone = static_cast<std::size_t>(
        std::min<std::int64_t>(age / (window_ * kPartWindows), static_cast<std::int64_t>(kParts)));
    for (std::size_t i = gone; i < kParts; ++i) {
        const auto part = part_ + static_cast<std::int64_t>(kParts) - static_cast<std::int64_t>(i);
        peaks_[static_cast<std::size_t>(part) % kParts] = past.peaks[i - gone];
    }
    largest_ = past.largest;
    if (past.refused) {
        limit_ = past.limit;
        disputed_ = past.disputed;
        refused_at_ = now - age - *past.refused;
        tick(now);
    }
}

void LearnedLimit::accepted(std::uint64_t reach, std::uint64_t amount, Instant now) {
    tick(now);
    auto& peak = peaks_[static_cast<std::size_t>(part_) % kParts];
    peak = std::max(peak, reach);
    news_.peak = std::max(news_.peak, reach);
    largest_ = std::max(largest_, amount);
    if (limit_) {
        limit_ = std::max(*limit_, least());
    } else if (reach >= disputed_ && refused_at_ + window_ / kSoon > now) {
        disputed_ = 0;
    }
}

void LearnedLimit::refused(std::uint64_t reach, bool news, Instant now) {
    tick(now);
    if (!news) {
        return;
    }
    refused_at_ = now;
    if (limit_) {
        news_.refused = true;
        // It went further than the service does, by a probe or because others use it as well.
        limit_ = std::min(*limit_, std::max(least(), *limit_ / 2));
        return;
    }
    const std::uint64_t less = std::min(reach, disputed_);
    const std::uint64_t more = std::max(reach, disputed_);
    const bool agrees =
        less > 0 && static_cast<double>(more) <= (1 + kAgree) * static_cast<double>(less);
    disputed_ = reach;
    if (agrees) {
        limit_ = std::max(less, least());
    }
}

}  // namespace weir::policy
