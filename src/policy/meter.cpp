#include "policy/meter.h"

#include <algorithm>

namespace weir::policy {

namespace {
// A refusal may come from somebody else's use of the same quota; one burst of them must not take
// away more than this part of what has been learned.
constexpr double kDeepestCut = 0.7;
constexpr double kRaise = 1.05;
}  // namespace

Meter::Meter(LimitKind kind, Duration window, Duration slack)
    : kind_(kind), log_(window, slack), refused_(window, slack) {}

void Meter::configure(std::optional<std::uint64_t> limit) {
    configured_ = limit;
}

void Meter::tick(Instant now) {
    log_.expire(now);
    if (!learned() || now - window_start_ < log_.window()) {
        return;
    }
    if (bound_ && !refused_this_window_) {
        learned_ = std::max(*learned_ + 1,
                            static_cast<std::uint64_t>(static_cast<double>(*learned_) * kRaise));
    }
    anchor_ = *learned_;
    window_start_ = now;
    bound_ = false;
    refused_this_window_ = false;
}

std::optional<std::uint64_t> Meter::ceiling() const {
    const auto whole = limit();
    if (!whole) {
        return std::nullopt;
    }
    return *whole - *whole / 100;
}

bool Meter::fits(std::uint64_t amount) const {
    const auto top = ceiling();
    return !top || (amount <= *top && used() <= *top - amount);
}

Instant Meter::fits_at(std::uint64_t amount, Instant now) const {
    const auto top = ceiling();
    if (!top) {
        return now;
    }
    if (amount > *top || held_ > *top - amount) {
        return Instant::max();
    }
    const std::uint64_t room = *top - amount;
    const std::uint64_t total = used();
    return total <= room ? now : std::max(now, log_.frees(total - room));
}

void Meter::hold(std::uint64_t amount) {
    held_ += amount;
    reserved_ += amount;
}

void Meter::stamp(std::uint64_t amount, Instant now) {
    held_ -= amount;
    log_.add(now, amount);
}

void Meter::release(std::uint64_t amount) {
    held_ -= amount;
    reserved_ -= amount;
}

void Meter::refund(std::uint64_t amount, Instant stamped) {
    reserved_ -= amount;
    log_.remove(stamped, amount);
}

void Meter::keep(std::uint64_t amount, std::uint64_t surplus, Instant now) {
    reserved_ -= amount;
    log_.add(now, surplus);
}

void Meter::settle(std::uint64_t amount, std::uint64_t actual, Instant stamped, Instant now) {
    reserved_ -= amount;
    if (actual < amount) {
        log_.remove(stamped, amount - actual);
    } else {
        log_.add(now, actual - amount);
    }
}

void Meter::refused(std::uint64_t amount, bool still_logged, Instant now) {
    if (still_logged) {
        refused_.add(now, amount);
    }
    if (configured_) {
        return;
    }
    refused_.expire(now);
    const std::uint64_t logged = log_.used();
    const std::uint64_t accepted = logged - std::min(logged, refused_.used());
    // Never below the refused amount itself plus head-room: it must be possible to try it again.
    std::uint64_t limit = std::max(accepted, amount + amount / 99 + 1);
    if (learned_) {
        limit =
            std::max(limit, static_cast<std::uint64_t>(static_cast<double>(anchor_) * kDeepestCut));
        limit = std::min(limit, *learned_);
    } else {
        anchor_ = 0;
    }
    learned_ = std::max<std::uint64_t>(limit, 1);
    window_start_ = now;
    bound_ = false;
    refused_this_window_ = true;
}

}  // namespace weir::policy
