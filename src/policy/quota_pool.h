// The limits that stand behind one reservation: all or none.
#pragma once

#include <weir/engine_state.h>
#include <weir/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/meter.h"
#include "policy/random.h"
#include "policy/throttle_spell.h"
#include "policy/unknown_past.h"

namespace weir::policy {

struct TargetState;

class QuotaPool;

/// What a call takes of a pool. A bare number is tokens; `output` counts where the pool meters it
/// apart, and nowhere else.
struct Amount {
    constexpr Amount(std::uint64_t of_tokens = 0, std::uint64_t of_output = 0)
        : tokens(of_tokens), output(of_output) {}

    std::uint64_t tokens;
    std::uint64_t output;

    bool operator==(const Amount&) const = default;
};

/// What one attempt holds. Belongs to the pool that gave it; ended exactly once by that pool.
struct Reservation {
    QuotaPool* pool = nullptr;
    std::uint64_t tokens = 0;
    std::uint64_t output = 0;
    Instant stamped{};
    bool is_stamped = false;
    std::array<Meter::Trial, 3> trials;  ///< one a meter
    Meter::Trial output_trial;
    ThrottleSpell::Ticket spell;
    UnknownPast::Ticket past;
    SharedQuota::Ticket shared;
};

struct PoolLimits {
    std::optional<std::uint64_t> requests;
    std::optional<std::uint64_t> tokens;  ///< of input, where output is metered apart
    std::optional<std::uint64_t> daily_tokens;
    bool apart = false;  ///< output has a meter of its own
    std::optional<std::uint64_t> output_tokens = std::nullopt;
};

/// Requests, tokens and tokens a day of one quota: several models of a Region may share it.
///
/// A pool with output `apart` (bedrock-mantle, the reserved tier) has two token meters: a call is
/// let in by input + max_tokens against the first, pays its input there and its output at the
/// second. Running out of the second is no refusal: the service cuts the answer short. So output is
/// held beforehand, against an exact log.
///
/// Promises that a reservation is given only if it fits every limit at that instant, and that each
/// reservation ends once. After a refusal that its own books do not explain it is probed, see
/// ThrottleSpell.
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
    LimitKind blocked_by(Amount amount) const;

    /// The most tokens that may go ahead of a call of `amount` without making it later; 0: nothing.
    std::uint64_t spare_beside(Amount amount) const;

    /// When it fits if nothing but expiry happens, the pause included.
    Instant fits_at(Amount amount, Instant now) const;
    /// Nothing may go before. Instant::max(): until an attempt that is under way is sent or over.
    Instant paused_until() const {
        return std::max({pause_until_, spell_.opens_at(), past_.opens_at()});
    }
    /// It refuses everybody, did until a moment ago, or may do so: attempts are let go a few at a
    /// time.
    bool throttled() const { return spell_.active() || past_.active(); }
    bool refuses_all() const { return spell_.probing(); }
    /// Calls that another pool refuses are about to come here.
    void expect_spell() { spell_.expect(); }

    /// The most one call can hold at all; nullopt: no limit known.
    std::optional<std::uint64_t> largest() const;
    /// As above by the full limits, without head-room.
    std::optional<std::uint64_t> hard_limit() const;
    /// The most output one call can hold; nullopt: not metered apart, or no limit.
    std::optional<std::uint64_t> largest_output() const;

    /// `doubt`: the part of the tokens that is margin, not expected to be used.
    Reservation hold(Amount amount, std::uint64_t doubt = 0);
    void sent(Reservation& reservation, Instant now);
    void give_back_all(Reservation& reservation, Instant now);
    void give_back_tokens(Reservation& reservation, Instant now);
    void keep(Reservation& reservation, Amount seen, Instant now);
    void settle(Reservation& reservation, Amount actual, Instant now);

    /// Ends a reservation that the service refused by quota: its tokens are back, its request is
    /// kept. Returns when to try again.
    Instant refused(LimitKind kind, Reservation& reservation, std::optional<Duration> retry_after,
                    Random& random, Instant now);
    /// The service took it: its answer has begun. True if others may go now that could not before.
    bool accepted(Reservation& reservation, Instant now);

    /// What is known here, for recall() by a pool of another process.
    /// `returning`: of the tokens.
    EngineState::Pool remember(const std::vector<Meter::Returning>& returning, Instant now) const;
    /// As inherit(), from `age` before now. `unrecorded`: for so long use went on after that.
    void recall(const EngineState::Pool& past, Duration age, Duration unrecorded, Instant now);
    /// What was used before `start` is not known, or not all of it.
    void doubt_past(Instant start, Instant now);

    /// A new configuration has another pool in the place of `from`, whose window and meters are the
    /// same: what has been used, learned and refused there holds here as well. What is under way
    /// comes by hand_over(). From several pools the sum, the fullest being asked first.
    void inherit(QuotaPool& from, Instant now);
    /// What is under way goes on in a pool that inherited from this one.
    void hand_over(Reservation& reservation, QuotaPool& heir);
    /// Several pools are about to inherit from this one. Up to now they have one past, which is
    /// counted once should they become one again.
    void part(std::uint64_t kin, Instant now);

    /// `tokens`, `input_tokens`, `none`: the meter that calls are let in by.
    const Meter& meter(LimitKind kind) const;
    const std::array<Meter, 3>& meters() const { return meters_; }

    /// Several instances draw on this quota, and this is what they have in common.
    void share(std::unique_ptr<SharedQuota> shared);
    /// Null: this instance is the only one.
    SharedQuota* shared() const { return shared_.get(); }
    /// By what the others leave, and nothing else, it cannot go now.
    bool awaits_grant(Amount amount) const;
    /// `amount` in the books.
    BookAmounts booked(Amount amount) const;
    /// Limits that were learned here are told to the others, and theirs hold here.
    void teach_limits(Instant now);
    void learn_limits();
    /// Null: output is not metered apart.
    const Meter* output() const { return output_.get(); }
    bool apart() const { return output_ != nullptr; }
    std::uint64_t outstanding() const { return outstanding_; }
    /// Those that draw on this pool, in the order of their names; the engine keeps them here.
    std::vector<TargetState*> targets;
    Duration window() const { return meters_[0].window(); }

private:
    Meter& requests() { return meters_[0]; }
    void stamp_if_needed(Reservation& reservation, Instant now);
    void refund_output(Reservation& reservation);
    void end(Reservation& reservation, Instant now);
    LimitKind blocked_here(Amount amount) const;
    BookAmounts used_by_all() const;
    BookAmounts ceilings() const;
    /// In the books the tokens of a reservation that was sent come down to `actual`.
    void book_actual(Reservation& reservation, Amount actual, std::int64_t requests = 1);
    bool blames_past(const Meter& meter, std::uint64_t amount, Instant now) const;
    Instant refused_by_past(Meter& meter, Meter::Trial& trial, bool by_requests,
                            Reservation& reservation, std::optional<Duration> retry_after,
                            Random& random, Instant now);

    std::array<Meter, 3> meters_;  // requests, tokens, daily tokens
    std::unique_ptr<Meter> output_;
    std::uint64_t outstanding_ = 0;
    Instant pause_until_ = Instant::min();
    bool has_inherited_ = false;
    std::uint64_t kin_ = 0;  // pools of one kin were one until they were parted
    Instant parted_ = Instant::min();
    ThrottleSpell spell_;
    UnknownPast past_;
    std::unique_ptr<SharedQuota> shared_;
};

}  // namespace weir::policy
