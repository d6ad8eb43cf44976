// When a target that refuses every call is probed again.
#pragma once

#include <weir/time.h>

#include <cstdint>
#include <optional>

#include "policy/random.h"

namespace weir::policy {

/// How long a target that says `retry_after` is left alone: none without it, and at most 5 minutes,
/// after which weir learns by a probe whether it still holds.
Duration pause_told(std::optional<Duration> retry_after);

/// A little after `at`, so that several instances and targets do not come back together.
Instant spread(Instant at, Random& random);

/// A spell of quota refusals that weir's own accounts do not explain: another program uses the
/// quota, or the service sheds load. One attempt at a time probes it for all calls that wait. Once
/// a probe is accepted, each round has twice as many attempts, so that the end of a spell does not
/// cause a burst.
///
/// Probes are due 1, 3, 5, 7.5 and 10 s after the first refusal, then every 5 s, after a minute
/// every 10 s, each with a jitter. Counted from the first refusal the times do not drift, so that
/// the end of a spell of a round length (most timers and windows) is noticed at once. Times are for
/// a 60 s window and scale with it. A server's Retry-After has precedence.
///
/// An answer that is not streamed shows nothing before it is complete, but a refusal comes at once:
/// an attempt without an answer for several times the usual time of a refusal counts as accepted.
///
/// Invariant: at most one attempt is sent between two refusals, and none before it is due.
class ThrottleSpell {
public:
    /// The role of an attempt. Belongs to the attempt until its end.
    struct Ticket {
        std::uint32_t round = 0;  ///< 0: sent while nothing was refused
    };

    explicit ThrottleSpell(Duration window) : window_(window) {}

    bool active() const { return phase_ != Phase::open; }
    /// Nothing has been accepted since the latest refusal.
    bool probing() const { return phase_ == Phase::probing; }
    /// A refusal of this attempt is neither known already nor another probe's.
    bool news(Ticket ticket) const {
        return phase_ == Phase::open || (phase_ == Phase::ramp && ticket.round >= since_);
    }
    /// How often probes have been refused one after the other.
    std::uint32_t refused_probes() const { return refused_probes_; }

    /// When the next attempt may go; Instant::max(): once one in flight is sent or over.
    Instant opens_at() const;
    void tick(Instant now);

    Ticket take();
    void sent(Ticket ticket, Instant now);
    /// `took`: from the last byte of the request to the refusal.
    void refused(Ticket ticket, std::optional<Duration> retry_after, Duration took, Random& random,
                 Instant now);
    /// Another Region of a route is in a spell, and its calls come here: they are sent one, two,
    /// four at a time, in case this Region refuses them as well.
    void expect();
    /// True if more attempts may go now.
    bool accepted(Ticket ticket);
    /// The attempt ended without evidence about the quota.
    void lost(Ticket ticket);

private:
    enum class Phase : std::uint8_t { open, probing, ramp };

    void pass();
    Duration due_after(Duration elapsed) const;

    Duration window_;
    Phase phase_ = Phase::open;
    Instant started_{};
    Instant next_ = Instant::min();
    std::uint32_t round_ = 0;
    std::uint32_t since_ = 0;    // the first round after the latest refusal
    std::uint32_t allowed_ = 1;  // attempts of a round
    std::uint32_t taken_ = 0;    // of these
    std::uint32_t refused_probes_ = 0;
    std::optional<Instant> first_sent_;  // of this round
    Duration silence_{};
};

}  // namespace weir::policy
