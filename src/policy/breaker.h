// Stops sending to a place that fails, and finds out carefully whether it is back.
#pragma once

#include <weir/config.h>
#include <weir/engine.h>
#include <weir/time.h>

#include <array>
#include <cstdint>

#include "policy/random.h"

namespace weir::policy {

/// A circuit breaker for one Region and model.
///
/// Closed: opens at a streak of failures or when half of at least ten recent attempts failed. Open:
/// for a while that doubles, +-20 %. Half-open: a few probes; all must pass, the first that fails
/// opens it again. Then a ramp: from 10 % of the earlier rate to all over 10 s.
///
/// Invariant: probes out plus probes passed never exceed `probes`; a permit taken before the last
/// change of state has no effect when it comes back.
class Breaker {
public:
    /// Handed out with each attempt and handed back with its outcome.
    struct Permit {
        bool probe = false;
        std::uint32_t epoch = 0;
    };

    explicit Breaker(const BreakerConfig& config) : config_(config) {}

    void configure(const BreakerConfig& config) { config_ = config; }

    BreakerState state(Instant now);

    /// True when an attempt may start now.
    bool allows(Instant now);
    /// Open, or half-open with its probes out: nothing passes until something happens.
    bool shut(Instant now) { return state(now) != BreakerState::closed && !allows(now); }
    bool ramping(Instant now);
    /// When it may allow an attempt by time alone; Instant::max(): only an outcome can change it.
    Instant allows_at(Instant now);

    /// Only after allows() said yes.
    Permit take(Instant now);

    void success(Permit permit, Instant now);
    /// `weight` 1, or 1/2 for failures that say less about the place.
    void failure(Permit permit, double weight, Random& random, Instant now);
    /// A failure after its permit was handed back: an answer that began and then broke.
    void fail_now(Random& random, Instant now) { failure(Permit{false, epoch_}, 1, random, now); }
    /// A refusal by quota: the place works.
    void alive(Permit permit, Instant now);
    /// Nothing was learned: a probe's permit returns.
    void give_back(Permit permit, Instant now);

    /// Every alternative is open too: half-open ahead of time. At once after the first opening,
    /// then after a quarter of the time it would stay open.
    Instant may_force_at() const;
    void force_half_open(Instant now);

    /// A call went elsewhere because of this breaker. From the second opening on, a place is probed
    /// once for thirty of these at most, while there is anywhere else: see gated().
    void avoided() { ++avoided_; }
    /// Half-open by time, but nobody has been spared enough yet to pay for another probe.
    bool gated(Instant now);
    void lift_gate() { gate_ = false; }

    bool open(Instant now) { return state(now) == BreakerState::open; }
    Instant opens_until() const { return until_; }

private:
    struct Second {
        std::int64_t number = 0;
        double failures = 0;
        std::uint32_t total = 0;
    };
    static constexpr std::size_t kBuckets = 10;

    Duration bucket_width() const;
    Second& bucket(Instant now);
    void trip(Random& random, Instant now);
    double ramp_rate(Instant now) const;
    void accrue(Instant now);

    BreakerConfig config_;
    BreakerState state_ = BreakerState::closed;
    std::uint32_t epoch_ = 0;
    std::array<Second, kBuckets> recent_{};
    double streak_ = 0;
    Instant opened_{};
    Instant until_{};
    std::uint32_t times_open_ = 0;  // since it was last fully closed
    std::uint32_t probes_out_ = 0;
    std::uint32_t probes_passed_ = 0;
    bool gate_ = false;
    Instant gate_until_{};
    std::uint32_t avoided_ = 0;
    bool ramp_ = false;
    Instant ramp_start_{};
    Instant accrued_{};
    double credit_ = 0;
    double rate_before_ = 0;  // attempts a second when it last opened from closed
};

}  // namespace weir::policy
