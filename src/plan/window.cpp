#include "plan/window.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace weir::plan {

Result<WindowShape> parse_shape(std::string_view text) {
    if (text == "sliding") {
        return WindowShape{};
    }
    if (text == "clock") {
        return WindowShape{.shape = Shape::clock_minute};
    }
    std::string_view seconds = text;
    if (seconds.starts_with("bucket:") && seconds.ends_with('s')) {
        seconds.remove_prefix(7);
        seconds.remove_suffix(1);
        int burst = 0;
        const auto [end, error] =
            std::from_chars(seconds.data(), seconds.data() + seconds.size(), burst);
        if (error == std::errc() && end == seconds.data() + seconds.size() && burst >= 1 &&
            burst <= 3600) {
            return WindowShape{.shape = Shape::bucket, .burst = std::chrono::seconds(burst)};
        }
    }
    return failure("\"" + std::string(text.substr(0, 40)) +
                   "\" is no window; allowed are sliding, clock, bucket:60s, bucket:10s (a bucket "
                   "of 1 to 3600 seconds' quota)");
}

std::string to_string(const WindowShape& shape) {
    switch (shape.shape) {
        case Shape::sliding:
            return "sliding";
        case Shape::clock_minute:
            return "clock";
        case Shape::bucket:
            return "bucket:" + std::to_string(std::llround(to_seconds(shape.burst))) + "s";
    }
    return {};
}

Window::Window(const WindowShape& shape, std::uint64_t limit, Duration phase)
    : shape_(shape),
      limit_(static_cast<std::int64_t>(limit)),
      capacity_(shape.shape == Shape::bucket
                    ? std::llround(static_cast<double>(limit) * to_seconds(shape.burst) /
                                   to_seconds(shape.length))
                    : limit_),
      phase_(phase),
      level_(static_cast<double>(capacity_)) {}

void Window::advance(Duration now) {
    switch (shape_.shape) {
        case Shape::sliding:
            while (!log_.empty() && log_.front().at <= now - shape_.length) {
                used_ -= log_.front().amount;
                log_.pop_front();
                ++gone_;
            }
            break;
        case Shape::clock_minute: {
            // The phase lies within one length, so that the sum is never below zero.
            const std::int64_t minute = (now + phase_) / shape_.length;
            if (minute != minute_) {
                minute_ = minute;
                used_ = 0;
            }
            break;
        }
        case Shape::bucket:
            level_ = std::min(static_cast<double>(capacity_),
                              level_ + static_cast<double>(limit_) * to_seconds(now - filled_) /
                                           to_seconds(shape_.length));
            filled_ = now;
            break;
    }
}

bool Window::fits(std::int64_t amount, Duration now) {
    advance(now);
    if (shape_.shape == Shape::bucket) {
        return static_cast<double>(amount) <= level_;
    }
    return used_ + amount <= limit_;
}

Window::Charge Window::charge(std::int64_t amount, Duration now) {
    advance(now);
    switch (shape_.shape) {
        case Shape::sliding:
            log_.push_back({now, amount});
            used_ += amount;
            return {gone_ + static_cast<std::int64_t>(log_.size()) - 1, amount};
        case Shape::clock_minute:
            used_ += amount;
            return {minute_, amount};
        case Shape::bucket:
            level_ -= static_cast<double>(amount);
            return {0, amount};
    }
    return {};
}

void Window::settle(const Charge& charge, std::int64_t actual, Duration now) {
    advance(now);
    if (actual > charge.amount) {
        this->charge(actual - charge.amount, now);
        return;
    }
    const std::int64_t back = charge.amount - actual;
    switch (shape_.shape) {
        case Shape::sliding:
            if (charge.mark >= gone_) {
                log_[static_cast<std::size_t>(charge.mark - gone_)].amount -= back;
                used_ -= back;
            }
            break;
        case Shape::clock_minute:
            used_ -= charge.mark == minute_ ? back : 0;
            break;
        case Shape::bucket:
            level_ = std::min(static_cast<double>(capacity_), level_ + static_cast<double>(back));
            break;
    }
}

void Window::charge_refused(Duration now) {
    advance(now);
    if (shape_.shape == Shape::bucket) {
        level_ = std::min(level_, std::max(0.0, level_ - 1));
    } else {
        charge(1, now);
    }
}

std::int64_t Window::used(Duration now) {
    advance(now);
    return shape_.shape == Shape::bucket ? capacity_ - std::llround(std::floor(level_)) : used_;
}

}  // namespace weir::plan
