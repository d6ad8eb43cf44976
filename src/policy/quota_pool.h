// The limits that stand behind one reservation: all or none.
#pragma once

#include <weir/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/meter.h"
#include "policy/random.h"

namespace weir::policy {

class QuotaPool;

/// What one attempt holds. Belongs to the pool that gave it; ended exactly once by that pool.
struct Reservation {
    QuotaPool* pool = nullptr;
    std::uint64_t tokens = 0;
    Instant stamped{};
    bool is_stamped = false;
    std::array<Meter::Trial, 3> trials;  ///< one a meter
};

struct PoolLimits {
    std::optional<std::uint64_t> requests;
    std::optional<std::uint64_t> tokens;
    std::optional<std::uint64_t> daily_tokens;
};

/// Requests, tokens and tokens a day of one quota: several models of a Region may share it.
///
/// Promises that a reservation is given only if it fits every limit at that instant, and that each
/// reservation ends once. After a refusal by the service it pauses, the longer the more often that
/// happens while its own log shows room.
class QuotaPool {
public:
    /// `slack`: how much longer than the service we remember; see slack_for().
    QuotaPool(Duration window, Meter::Window whose, PoolLimits limits);

    /// 0.25 s for the network at a 60 s window; in proportion for compressed windows, where a test
    /// would lose its quota to it, but never below 100 ms, because the network does not compress.
    static Duration slack_for(Duration window);

    void configure(PoolLimits limits);
    void tick(Instant now);

    /// The kind of limit that keeps `tokens` out now; none: it fits.
    LimitKind blocked_by(std::uint64_t tokens) const;
    /// As blocked_by, and remembers that the limit binds.
    LimitKind try_fit(std::uint64_t tokens);

    /// The most that may go ahead of a call of `tokens` without making it later; 0: nothing.
    std::uint64_t spare_beside(std::uint64_t tokens) const;

    /// When it fits if nothing but expiry happens, the pause included.
    Instant fits_at(std::uint64_t tokens, Instant now) const;
    Instant paused_until() const { return pause_until_; }

    /// The most one call can hold at all; nullopt: no limit known.
    std::optional<std::uint64_t> largest() const;
    /// As above by the full limits, without head-room.
    std::optional<std::uint64_t> hard_limit() const;

    /// `doubt`: the part of the tokens that is margin, not expected to be used.
    Reservation hold(std::uint64_t tokens, std::uint64_t doubt = 0);
    void sent(Reservation& reservation, Instant now);
    void give_back_all(Reservation& reservation, Instant now);
    void give_back_tokens(Reservation& reservation, Instant now);
    void keep(Reservation& reservation, std::uint64_t seen, Instant now);
    void settle(Reservation& reservation, std::uint64_t actual, Instant now);

    /// Ends a reservation that the service refused by quota: its tokens are back, its request is
    /// kept. Returns when to try again.
    Instant refused(LimitKind kind, Reservation& reservation, std::optional<Duration> retry_after,
                    Random& random, Instant now);
    /// The service took it: its answer has begun. True if others may go now that could not before.
    bool accepted(Reservation& reservation, Instant now);

    const Meter& meter(LimitKind kind) const;
    const std::array<Meter, 3>& meters() const { return meters_; }
    std::uint64_t outstanding() const { return outstanding_; }
    /// Targets that draw on this pool; the engine counts them here.
    std::uint32_t users = 0;
    Duration window() const { return meters_[0].window(); }

private:
    Meter& requests() { return meters_[0]; }
    void stamp_if_needed(Reservation& reservation, Instant now);
    void end(Reservation& reservation, Instant now);

    std::array<Meter, 3> meters_;  // requests, tokens, daily tokens
    std::uint64_t outstanding_ = 0;
    Instant pause_until_ = Instant::min();
    std::uint32_t refusals_in_a_row_ = 0;
};

}  // namespace weir::policy
