#include "policy/breaker.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace weir::policy {

namespace {
// Values that were tried: docs/tuning.md.
// The ramp is for a Region that comes back weak: from kRampFloor of the earlier rate to all of it.
constexpr Duration kRamp = std::chrono::seconds(10);
constexpr double kRampFloor = 0.1;
constexpr double kLeastRate = 10;  // calls per second; a target below this needs no ramp
constexpr std::uint32_t kSparedPerProbe = 30;
// After this time half-open without a suitable probe, any call may be the probe.
constexpr Duration kAnyProbeAfter = std::chrono::seconds(1);
// Another client that succeeded within this time is expected to send the probe.
constexpr Duration kOthersExpected = std::chrono::seconds(60);
// An instance that looks after a target says so again long before the time that it told has passed.
constexpr Duration kLapsed = std::chrono::milliseconds(250);
}  // namespace

Evidence::Rule Breaker::rule() const {
    return {static_cast<double>(config_.failures), config_.failure_share, config_.window};
}

BreakerState Breaker::state(Instant now) {
    if (state_ == BreakerState::open && now >= until_) {
        force_half_open(now);
        gate_.on = times_open_ > 1;
        gate_.until = until_ + 2 * (until_ - opened_);
    }
    if (ramp_.on && now - ramp_.start >= kRamp) {
        ramp_.on = false;
        times_open_ = 0;
    }
    return state_;
}

double Breaker::ramp_rate(Instant now) const {
    const double part = std::clamp(to_seconds(now - ramp_.start) / to_seconds(kRamp), 0.0, 1.0);
    return ramp_.rate_before * (kRampFloor + (1 - kRampFloor) * part);
}

void Breaker::accrue(Instant now) {
    ramp_.credit = std::min(ramp_.credit + to_seconds(now - ramp_.accrued) * ramp_rate(now), 2.0);
    ramp_.accrued = now;
}

bool Breaker::gated(Instant now) {
    return state(now) == BreakerState::half_open && gate_.on && probes_.passed == 0 &&
           probes_.out == 0 && gate_.avoided < kSparedPerProbe && now < gate_.until;
}

bool Breaker::ramping(Instant now) {
    return state(now) == BreakerState::closed && ramp_.on;
}

bool Breaker::allows(Instant now) {
    switch (state(now)) {
        case BreakerState::open:
            return false;
        case BreakerState::half_open:
            return !gated(now) && probes_.out + probes_.passed < std::max(config_.probes, 1U);
        case BreakerState::closed:
            break;
    }
    if (!ramp_.on) {
        return true;
    }
    accrue(now);
    return ramp_.credit >= 1;
}

Instant Breaker::allows_at(Instant now) {
    if (allows(now)) {
        return now;
    }
    if (state_ == BreakerState::open) {
        return until_;
    }
    if (state_ == BreakerState::half_open) {
        return gated(now) ? gate_.until : Instant::max();
    }
    const double wait = (1 - ramp_.credit) / std::max(ramp_rate(now), 0.1);
    return std::min(now + from_seconds(wait) + std::chrono::microseconds(10), ramp_.start + kRamp);
}

Breaker::Permit Breaker::take(Instant now) {
    const bool probe = state(now) == BreakerState::half_open;
    if (probe) {
        ++probes_.out;
    } else if (ramp_.on) {
        ramp_.credit -= 1;
    }
    return Permit{probe, epoch_};
}

void Breaker::ask_for(std::uint64_t client, Instant now) {
    const BreakerState at_present = state(now);
    if (!sole_accuser_ || *sole_accuser_ == client) {
        return;
    }
    if (at_present == BreakerState::open) {
        force_half_open(now);
    } else if (at_present == BreakerState::half_open) {
        gate_.on = false;
    }
}

Instant Breaker::may_probe_at(Witness who, bool failed_before, Instant now) {
    if (state(now) != BreakerState::half_open) {
        return now;
    }
    const bool same_again = failed_probe_of_ == who.client &&
                            evidence_.other_succeeded(who.client, now - kOthersExpected);
    if (sole_accuser_ == who.client && probes_.out > 0) {
        return now + kAnyProbeAfter;  // room for the probes of others
    }
    return failed_before || same_again ? std::max(now, half_since_ + kAnyProbeAfter) : now;
}

void Breaker::success(Permit permit, Instant now, Witness who) {
    if (permit.epoch != epoch_) {
        return;
    }
    if (permit.probe) {
        --probes_.out;
        ++probes_.passed;
        if (probes_.passed >= std::max(config_.probes, 1U)) {
            close_and_ramp(now);
        }
    }
    evidence_.good(who, config_.window, now);
}

void Breaker::give_back(Permit permit, Instant) {
    if (permit.epoch == epoch_ && permit.probe) {
        --probes_.out;
    }
}

void Breaker::failure(Permit permit, double weight, Random& random, Instant now, Witness who,
                      bool doubted) {
    if (permit.epoch != epoch_) {
        return;
    }
    if (permit.probe) {
        failed_probe_of_ = who.client;
        if (doubted) {
            --probes_.out;
            return;
        }
        if (sole_accuser_ != who.client) {
            sole_accuser_.reset();
        }
        trip(random, now);
        tripped_by_ = who.call;
        return;
    }
    if (evidence_.bad(who, weight, doubted, config_.window, now)) {
        judge(random, now);
    }
}

void Breaker::broke(Random& random, Instant now, Witness who) {
    if (state(now) == BreakerState::closed) {
        evidence_.broke(who, config_.window, now);
        judge(random, now);
    }
}

/// What it was open for is forgotten.
void Breaker::close() {
    state_ = BreakerState::closed;
    ++epoch_;
    evidence_.clear();
    failed_probe_of_.reset();
    sole_accuser_.reset();
    tripped_by_ = 0;
}

void Breaker::close_and_ramp(Instant now) {
    close();
    ramp_ = {true, now, now, 1, ramp_.rate_before};
}

void Breaker::judge(Random& random, Instant now) {
    if (state_ == BreakerState::closed && now >= kept_closed_until_ &&
        evidence_.condemns(rule(), Evidence::View::believed, now)) {
        ramp_.rate_before = rate(now);
        sole_accuser_ = evidence_.sole_accuser(config_.window, now);
        trip(random, now);
        tripped_by_ = 0;
    }
}

/// Attempts a second of late, for the ramp that follows.
double Breaker::rate(Instant now) {
    return std::max(kLeastRate, evidence_.total(config_.window, now) /
                                    std::max(0.1, to_seconds(config_.window)));
}

void Breaker::keep_closed(Instant until, Instant now) {
    kept_closed_until_ = until;
    if (until <= now) {
        return;
    }
    ramp_.on = false;
    if (state(now) != BreakerState::closed) {
        close();
        times_open_ = 0;
        by_another_ = false;
        probes_ = {};
    }
}

bool Breaker::raise(Random& random, Instant now) {
    const BreakerState at_present = state(now);
    if (at_present == BreakerState::open || now < kept_closed_until_) {
        return false;
    }
    if (at_present == BreakerState::closed) {
        ramp_.rate_before = rate(now);
    }
    sole_accuser_.reset();
    tripped_by_ = 0;
    trip(random, now);
    return true;
}

bool Breaker::healthy(Instant now) {
    return state(now) == BreakerState::closed &&
           !evidence_.condemns(rule(), Evidence::View::raw, now);
}

void Breaker::believe(Random& random, Instant now) {
    evidence_.believe(config_.window, now);
    judge(random, now);
}

bool Breaker::take_back(std::uint64_t call, Instant now) {
    const bool changed = evidence_.doubt(call, config_.window, now);
    if (state(now) != BreakerState::open) {
        return false;
    }
    if (call != 0 && call == tripped_by_) {
        times_open_ -= times_open_ > 1 ? 1 : 0;
        tripped_by_ = 0;
        force_half_open(now);
        return true;
    }
    if (!changed || times_open_ > 1 || evidence_.condemns(rule(), Evidence::View::believed, now)) {
        return false;
    }
    state_ = BreakerState::closed;
    ++epoch_;
    times_open_ = 0;
    sole_accuser_.reset();
    return true;
}

void Breaker::trip(Random& random, Instant now) {
    const double longest = to_seconds(config_.max_open);
    const double plain = to_seconds(config_.open_for) * std::exp2(std::min(times_open_, 20U));
    const double spread = 0.8 + 0.4 * random.uniform();
    open_until(now + from_seconds(std::min(plain, longest) * spread), now);
    ++times_open_;
    gate_.avoided = 0;
    by_another_ = false;
}

void Breaker::open_until(Instant until, Instant now) {
    state_ = BreakerState::open;
    ++epoch_;
    opened_ = now;
    until_ = until;
    probes_ = {};
    ramp_.on = false;
}

void Breaker::open_for_another(Instant until, bool probes, Instant now) {
    if (now < kept_closed_until_) {
        return;
    }
    const BreakerState at_present = state(now);
    if (at_present == BreakerState::open) {
        if (by_another_) {
            until_ = until;
        }
        return;
    }
    const bool serves = at_present == BreakerState::closed;
    if (serves ? probes : probes_.out + probes_.passed > 0) {
        return;
    }
    if (serves) {
        ramp_.rate_before = rate(now);
    }
    open_until(until, now);
    by_another_ = true;
    served_before_ = serves;
}

void Breaker::release(Instant now) {
    if (!std::exchange(by_another_, false) || state_ != BreakerState::open) {
        return;
    }
    if (served_before_ && until_ - now > kLapsed) {
        close_and_ramp(now);
    } else {
        force_half_open(now);
    }
}

Instant Breaker::may_force_at() const {
    if (by_another_) {
        return until_;
    }
    return times_open_ <= 1 ? opened_ : opened_ + (until_ - opened_) / 4;
}

void Breaker::force_half_open(Instant now) {
    state_ = BreakerState::half_open;
    by_another_ = false;
    half_since_ = now;
    gate_.on = false;
    ++epoch_;
    probes_ = {};
}

}  // namespace weir::policy
