// One limit of one kind: how much may be used in a window, and how much is.
#pragma once

#include <weir/types.h>

#include <cstdint>
#include <optional>

#include "policy/sliding_log.h"

namespace weir::policy {

/// Counts use against a limit over a sliding window. What is granted but not yet sent is held
/// outside the log: the service cannot have counted it, and it must not expire before the service
/// does.
///
/// A meter without a limit is open until its first refusal; then it learns: what was accepted in
/// the last window is the limit, raised 5 % a window while it binds without another refusal.
///
/// Invariant: used() == held + logged. fits() is true only if used() + amount <= ceiling().
class Meter {
public:
    Meter(LimitKind kind, Duration window, Duration slack);

    void configure(std::optional<std::uint64_t> limit);

    /// Forgets what expired and, with a learned limit, considers raising it.
    void tick(Instant now);

    /// The limit less 1 % head-room; nullopt: open.
    std::optional<std::uint64_t> ceiling() const;
    std::optional<std::uint64_t> limit() const { return configured_ ? configured_ : learned_; }
    bool learned() const { return !configured_ && learned_; }
    LimitKind kind() const { return kind_; }

    std::uint64_t used() const { return held_ + log_.used(); }
    std::uint64_t reserved() const { return reserved_; }
    bool fits(std::uint64_t amount) const;

    /// When `amount` fits if nothing but expiry happens; Instant::max() if that alone never makes
    /// it.
    Instant fits_at(std::uint64_t amount, Instant now) const;
    Instant frees(std::uint64_t amount) const { return log_.frees(amount); }
    Duration window() const { return log_.window(); }

    // The life of one reservation: hold, stamp, then one of release, refund, keep or settle.
    void hold(std::uint64_t amount);
    void stamp(std::uint64_t amount, Instant now);
    void release(std::uint64_t amount);
    void refund(std::uint64_t amount, Instant stamped);
    void keep(std::uint64_t amount, std::uint64_t surplus, Instant now);
    void settle(std::uint64_t amount, std::uint64_t actual, Instant stamped, Instant now);

    /// Somebody was held back by this limit: it binds.
    void bind() { bound_ = true; }

    /// The service refused `amount` by this limit. `still_logged`: the refused amount stays in the
    /// log though the service accepted nothing.
    void refused(std::uint64_t amount, bool still_logged, Instant now);

private:
    LimitKind kind_;
    SlidingLog log_;
    SlidingLog refused_;  // part of log_ that the service did not accept
    std::uint64_t held_ = 0;
    std::uint64_t reserved_ = 0;
    std::optional<std::uint64_t> configured_;
    std::optional<std::uint64_t> learned_;
    std::uint64_t anchor_ = 0;  // the learned limit when its present window began
    Instant window_start_{};
    bool bound_ = false;
    bool refused_this_window_ = false;
};

}  // namespace weir::policy
