#include "simulator/window.h"

#include <algorithm>
#include <cmath>

namespace weir::simulator {

Window::Window(WindowKind kind, std::uint64_t limit, Duration length, Duration phase, Instant now)
    : kind_(kind),
      limit_(limit),
      capacity_(kind == WindowKind::short_bucket ? std::max<std::uint64_t>(1, limit / 6) : limit),
      length_(length),
      phase_(phase),
      level_(static_cast<double>(capacity_)),
      filled_(now) {
    minute_ = minute_of(now);
}

std::int64_t Window::minute_of(Instant at) const {
    const std::int64_t since = (at.time_since_epoch() - phase_).count();
    const std::int64_t length = length_.count();
    const std::int64_t quotient = since / length;
    return since % length < 0 ? quotient - 1 : quotient;
}

void Window::advance(Instant now) {
    switch (kind_) {
        case WindowKind::sliding:
            while (!log_.empty() && log_.front().at + length_ <= now) {
                used_ -= log_.front().amount;
                log_.pop_front();
            }
            break;
        case WindowKind::fixed:
            if (const std::int64_t minute = minute_of(now); minute > minute_) {
                minute_ = minute;
                used_ = 0;
            }
            break;
        case WindowKind::bucket:
        case WindowKind::short_bucket:
            if (now > filled_) {
                const double refill =
                    static_cast<double>(limit_) * to_seconds(now - filled_) / to_seconds(length_);
                level_ = std::min(static_cast<double>(capacity_), level_ + refill);
                filled_ = now;
            }
            break;
    }
}

bool Window::fits(std::uint64_t amount, Instant now) {
    advance(now);
    if (bucket()) {
        // Half a unit of grace: many small refills must add up to the whole.
        return static_cast<double>(amount) <= level_ + 0.5 && amount <= capacity_;
    }
    return amount <= limit_ && used_ <= limit_ - amount;
}

Window::Charge Window::charge(std::uint64_t amount, Instant now) {
    advance(now);
    const Charge charge{.id = next_id_++, .at = now, .amount = amount};
    switch (kind_) {
        case WindowKind::sliding:
            log_.push_back(Entry{.id = charge.id, .at = now, .amount = amount});
            used_ += amount;
            break;
        case WindowKind::fixed:
            used_ += amount;
            break;
        case WindowKind::bucket:
        case WindowKind::short_bucket:
            level_ -= static_cast<double>(amount);
            break;
    }
    return charge;
}

void Window::charge_refused(Instant now) {
    advance(now);
    if (bucket()) {
        level_ = std::min(level_, std::max(0.0, level_ - 1));
        return;
    }
    charge(1, now);
}

void Window::settle(const Charge& charge, std::uint64_t actual, Instant now) {
    if (actual > charge.amount) {
        this->charge(actual - charge.amount, now);
        return;
    }
    advance(now);
    const std::uint64_t back = charge.amount - actual;
    switch (kind_) {
        case WindowKind::sliding: {
            const auto entry =
                std::lower_bound(log_.begin(), log_.end(), charge.id,
                                 [](const Entry& e, std::uint64_t id) { return e.id < id; });
            if (entry != log_.end() && entry->id == charge.id) {
                entry->amount -= back;
                used_ -= back;
            }
            break;
        }
        case WindowKind::fixed:
            if (minute_of(charge.at) == minute_) {
                used_ -= back;
            }
            break;
        case WindowKind::bucket:
        case WindowKind::short_bucket:
            level_ = std::min(static_cast<double>(capacity_), level_ + static_cast<double>(back));
            break;
    }
}

std::uint64_t Window::used(Instant now) {
    advance(now);
    if (bucket()) {
        const double used = static_cast<double>(capacity_) - level_;
        return used <= 0 ? 0 : static_cast<std::uint64_t>(std::llround(used));
    }
    return used_;
}

}  // namespace weir::simulator
