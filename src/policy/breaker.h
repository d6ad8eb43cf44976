// Stops sending to a target that fails, and probes whether it is back.
#pragma once

#include <weir/config.h>
#include <weir/engine.h>
#include <weir/time.h>

#include <cstdint>
#include <optional>

#include "policy/evidence.h"
#include "policy/random.h"

namespace weir::policy {

/// A circuit breaker for one Region and model.
///
/// Closed: opens at a streak of failures or when half of at least ten recent outcomes are failures,
/// both as Evidence counts them, by call and client. Open: for a while that doubles, +-20 %.
/// Half-open: a few probes; all must pass, the first that fails opens it again. Then a ramp: from
/// 10 % of the earlier rate to all over 10 s.
///
/// Opened on the failures of one client alone, it is open to that client: a call of another client
/// makes it half-open at once and is a probe.
///
/// A call that has failed before, and the client whose probe failed last, may probe only when no
/// other call has done so for a second.
///
/// Invariant: probes out plus probes passed never exceed `probes`; a permit taken before the last
/// change of state has no effect when it comes back.
class Breaker {
public:
    /// Given with each attempt and returned with its outcome.
    struct Permit {
        bool probe = false;
        std::uint32_t epoch = 0;
    };

    explicit Breaker(const BreakerConfig& config) : config_(config) {}

    void configure(const BreakerConfig& config) { config_ = config; }

    BreakerState state(Instant now);

    /// True when an attempt may start now.
    bool allows(Instant now);
    /// Open, or half-open with its probes in flight: only an event can let a call pass.
    bool shut(Instant now) { return state(now) != BreakerState::closed && !allows(now); }
    bool ramping(Instant now);
    /// When it may allow an attempt by time alone; Instant::max(): only an outcome can change it.
    Instant allows_at(Instant now);

    /// Only after allows() returned true.
    Permit take(Instant now);

    /// Half-open at once if only one client has had failures here, and this is another one.
    void ask_for(std::uint64_t client, Instant now);
    bool accused_only_by(std::uint64_t client) const { return sole_accuser_ == client; }
    /// Whether this call may be one of the probes; always true unless half-open.
    bool may_probe(Witness who, bool failed_before, Instant now) {
        return may_probe_at(who, failed_before, now) <= now;
    }
    Instant may_probe_at(Witness who, bool failed_before, Instant now);

    void success(Permit permit, Instant now, Witness who = {});
    /// `weight` 1, or 1/2 for failures that are weaker evidence. `doubted`: the call has
    /// failed at another target that serves other calls.
    void failure(Permit permit, double weight, Random& random, Instant now, Witness who = {},
                 bool doubted = false);
    /// A failure after its permit was returned: an answer that began and then broke.
    void broke(Random& random, Instant now, Witness who = {});
    /// A refusal by quota: the target works.
    void alive(Permit permit, Instant now, Witness who = {}) { success(permit, now, who); }

    /// Closed, and not even doubted failures would open it.
    bool healthy(Instant now);
    /// The call has failed at a healthy target too: its failure here no longer counts, and an
    /// opening that rested on it is undone. True if the state changed.
    bool take_back(std::uint64_t call, Instant now);
    /// The other targets fail as well: doubted failures count after all.
    void believe(Random& random, Instant now);
    /// An end without evidence: a probe's permit returns.
    void give_back(Permit permit, Instant now);

    /// Every alternative is open too: half-open ahead of time. At once after the first opening,
    /// then after a quarter of the time it would stay open.
    Instant may_force_at() const;
    void force_half_open(Instant now);

    /// A call went elsewhere because of this breaker. From the second opening on, a target is
    /// probed at most once for thirty of these, while there is another target: see gated().
    void avoided() { ++gate_.avoided; }
    /// Half-open by time, but too few calls have gone elsewhere for another probe.
    bool gated(Instant now);
    void lift_gate() { gate_.on = false; }

    /// Another instance that shares the quota has found the target failing and looks after it: open
    /// until then, unless that instance says otherwise. `probes`: it sends probes by now, which is
    /// no reason to close what serves here; nor does it end probes that are under way here. Else
    /// instances that recover would close each other's in turn.
    void open_for_another(Instant until, bool probes, Instant now);
    /// It says nothing any more: the target is well again, or, where the time that it told has
    /// passed, that instance is gone.
    void release(Instant now);
    bool opened_by_another() const { return by_another_; }

    /// An operator keeps it closed until then: failures count, and have no effect.
    void keep_closed(Instant until, Instant now);
    /// Opens as failures would. False: it is open, or kept closed.
    bool raise(Random& random, Instant now);

    bool open(Instant now) { return state(now) == BreakerState::open; }
    Instant opens_until() const { return until_; }

private:
    /// Of this half-open spell.
    struct Probes {
        std::uint32_t out = 0;
        std::uint32_t passed = 0;
    };
    /// See gated().
    struct Gate {
        bool on = false;
        Instant until{};
        std::uint32_t avoided = 0;  ///< calls that went elsewhere since it opened
    };
    /// After it has closed: from a part of the earlier rate to all of it.
    struct Ramp {
        bool on = false;
        Instant start{};
        Instant accrued{};
        double credit = 0;       ///< attempts that may go now
        double rate_before = 0;  ///< attempts a second when it last opened from closed
    };

    Evidence::Rule rule() const;
    void close();
    void close_and_ramp(Instant now);
    void open_until(Instant until, Instant now);
    void judge(Random& random, Instant now);
    void trip(Random& random, Instant now);
    double rate(Instant now);
    double ramp_rate(Instant now) const;
    void accrue(Instant now);

    BreakerConfig config_;
    BreakerState state_ = BreakerState::closed;
    std::uint32_t epoch_ = 0;
    Evidence evidence_;
    std::uint64_t tripped_by_ = 0;                  // the call whose probe failed; 0: none
    std::optional<std::uint64_t> failed_probe_of_;  // the client whose probe failed last
    std::optional<std::uint64_t> sole_accuser_;     // it opened on this client's failures alone
    Instant half_since_{};
    Instant opened_{};
    Instant until_{};
    std::uint32_t times_open_ = 0;  // since it was last fully closed
    Probes probes_;
    Gate gate_;
    bool by_another_ = false;
    bool served_before_ = false;  ///< closed, when another one opened it
    Instant kept_closed_until_ = Instant::min();
    Ramp ramp_;
};

}  // namespace weir::policy
