// The shapes that the service's minute may have, and what stands against a limit in each.
#pragma once

#include <weir/result.h>
#include <weir/time.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace weir::plan {

enum class Shape : std::uint8_t { sliding, clock_minute, bucket };

/// A shape. The service does not say which it uses.
struct WindowShape {
    Shape shape = Shape::sliding;
    Duration length = std::chrono::seconds(60);  ///< how long "a minute" is
    Duration burst = std::chrono::seconds(60);   ///< bucket: holds what refills in this time

    bool operator==(const WindowShape&) const = default;
};

/// "sliding", "clock", "bucket:60s", "bucket:10s".
Result<WindowShape> parse_shape(std::string_view text);
std::string to_string(const WindowShape& shape);

/// Counts amounts against one limit, exactly, at a constant cost a charge.
///
/// Sliding: a charge counts for one length from its own time. Clock minute: until the next
/// boundary, which lies at `phase` modulo the length. Bucket: takes from a level that refills
/// evenly.
///
/// A settlement below the charge gives the rest back on the charge's own stamp: nothing comes back
/// once its time is over. One above it counts the surplus from now on, whether it fits or not.
/// Times must not run backwards.
class Window {
public:
    /// What identifies a charge when it is settled.
    struct Charge {
        std::int64_t mark = 0;
        std::int64_t amount = 0;
    };

    Window(const WindowShape& shape, std::uint64_t limit, Duration phase);

    bool fits(std::int64_t amount, Duration now);
    Charge charge(std::int64_t amount, Duration now);
    void settle(const Charge& charge, std::int64_t actual, Duration now);
    /// Counts a call that was refused; a bucket gives no more than it has.
    void charge_refused(Duration now);

    std::int64_t used(Duration now);
    /// What `used` may reach: the limit, or what the bucket holds.
    std::int64_t capacity() const { return capacity_; }

private:
    struct Entry {
        Duration at;
        std::int64_t amount;
    };

    void advance(Duration now);

    WindowShape shape_;
    std::int64_t limit_;
    std::int64_t capacity_;
    Duration phase_;
    std::deque<Entry> log_;    // sliding: charges that still count, oldest first
    std::int64_t gone_ = 0;    // sliding: charges that no longer do; a mark counts from the first
    std::int64_t minute_ = 0;  // clock minute: the present one
    std::int64_t used_ = 0;    // sliding and clock minute
    double level_;             // bucket; below zero after a surplus
    Duration filled_{};
};

}  // namespace weir::plan
