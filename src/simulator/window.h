// The shapes a "minute" may have. The service does not say which one it uses.
#pragma once

#include "simulator/simulator.h"

#include <cstdint>
#include <deque>

namespace weir::simulator {

/// Counts amounts over a window, exactly. Sliding: every charge counts for one window from its own
/// time. Fixed: charges count until the window's boundary, which lies at `phase` modulo the window.
/// Bucket: a bucket of one window's limit that refills evenly; short bucket: of a sixth of it.
///
/// Invariant: `used` never counts a charge after its time is over, and a refund never makes room
/// that the charge had not taken. Times must not run backwards.
class Window {
public:
    /// What identifies a charge when it is settled later.
    struct Charge {
        std::uint64_t id = 0;
        Instant at{};
        std::uint64_t amount = 0;
    };

    Window(WindowKind kind, std::uint64_t limit, Duration length, Duration phase, Instant now);

    bool fits(std::uint64_t amount, Instant now);
    /// Counts it, whether it fits or not.
    Charge charge(std::uint64_t amount, Instant now);
    /// Counts a refused request. An empty bucket has nothing more to give; a log or a counter goes
    /// on counting beyond its limit.
    void charge_refused(Instant now);
    /// The charge turns out to be `actual`. Less: the rest comes back if its time is not over.
    /// More: the surplus counts from now on.
    void settle(const Charge& charge, std::uint64_t actual, Instant now);

    /// What stands against the limit now.
    std::uint64_t used(Instant now);
    std::uint64_t limit() const { return limit_; }

private:
    struct Entry {
        std::uint64_t id;
        Instant at;
        std::uint64_t amount;
    };
    void advance(Instant now);
    std::int64_t minute_of(Instant at) const;
    bool bucket() const { return kind_ == WindowKind::bucket || kind_ == WindowKind::short_bucket; }

    WindowKind kind_;
    std::uint64_t limit_;
    std::uint64_t capacity_;  // bucket: what a full one holds
    Duration length_;
    Duration phase_;
    std::uint64_t next_id_ = 1;
    std::deque<Entry> log_;   // sliding: ascending id and time
    std::uint64_t used_ = 0;  // sliding and fixed
    std::int64_t minute_ = 0;
    double level_ = 0;  // bucket: what may still be taken; below zero after a surplus
    Instant filled_{};
};

}  // namespace weir::simulator
