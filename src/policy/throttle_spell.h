// When a target that refuses everybody is asked again.
#pragma once

#include <weir/time.h>

#include <cstdint>
#include <optional>

#include "policy/random.h"

namespace weir::policy {

/// A spell of quota refusals that our own books do not explain: another program uses the quota, or
/// the service sheds load. One attempt at a time probes it, on behalf of all calls that wait. Once
/// a probe is taken, twice as many attempts go out with each round, so that the end of a spell is
/// no stampede.
///
/// Probes are due 1, 3, 5, 7.5 and 10 s after the first refusal, then every 5 s, after a minute
/// every 10 s, each with a jitter. Counted from the first refusal the times do not drift, so that
/// whatever ends at a round time (most timers and windows do) is noticed at once. Times are those
/// of a 60 s window and scale with it. A server's Retry-After wins.
///
/// An answer that is not streamed says nothing before it is complete, but a refusal comes at once:
/// an attempt that has heard nothing for several times as long as refusals take counts as taken.
///
/// Invariant: no more than one attempt is let go between two refusals, and none before it is due.
class ThrottleSpell {
public:
    /// What an attempt was let go as. Belongs to the attempt until its end.
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

    /// When the next attempt may go; Instant::max(): once one that is under way is sent or over.
    Instant opens_at() const;
    void tick(Instant now);

    Ticket take();
    void sent(Ticket ticket, Instant now);
    /// `took`: from the last byte of the request to the refusal.
    void refused(Ticket ticket, std::optional<Duration> retry_after, Duration took, Random& random,
                 Instant now);
    /// Another Region of a route is in a spell, and its calls come here: they go out one, two, four
    /// at a time, should this one refuse them as well.
    void expect();
    /// True if more attempts may go now.
    bool accepted(Ticket ticket);
    /// The attempt ended without an answer that says anything on the quota.
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
