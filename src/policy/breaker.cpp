#include "policy/breaker.h"

#include <algorithm>
#include <cmath>

namespace weir::policy {

namespace {
// An outage of one of two Regions at loads 0.8 and 1.2, and two short ones of the only Region at
// 0.6, seeds 21-24: kRamp 2 to 30 s, kRampFloor 0.02 to 0.5, kLeastRate 1 to 50, a least number of
// outcomes for the share of 5 to 30 and kSparedPerProbe 10 to 100 differ by 0.2 % of tokens at most
// (the only Region: 99.0; a ramp of 2 s 99.1, of 30 s 98.9). The ramp is for a Region that comes
// back weak, which plan does not have.
constexpr Duration kRamp = std::chrono::seconds(10);
constexpr double kRampFloor = 0.1;
constexpr double kLeastRate = 10;  // a second; a quiet place need not be eased in
constexpr std::uint32_t kSparedPerProbe = 30;
// Half-open for so long without a better probe: any call may be one.
constexpr Duration kAnyProbeAfter = std::chrono::seconds(1);
// Another client that succeeded within this time can be expected to come with a probe.
constexpr Duration kOthersExpected = std::chrono::seconds(60);
}  // namespace

Evidence::Rule Breaker::rule() const {
    return {static_cast<double>(config_.failures), config_.failure_share, config_.window};
}

BreakerState Breaker::state(Instant now) {
    if (state_ == BreakerState::open && now >= until_) {
        force_half_open(now);
        gate_ = times_open_ > 1;
        gate_until_ = until_ + 2 * (until_ - opened_);
    }
    if (ramp_ && now - ramp_start_ >= kRamp) {
        ramp_ = false;
        times_open_ = 0;
    }
    return state_;
}

double Breaker::ramp_rate(Instant now) const {
    const double part = std::clamp(to_seconds(now - ramp_start_) / to_seconds(kRamp), 0.0, 1.0);
    return rate_before_ * (kRampFloor + (1 - kRampFloor) * part);
}

void Breaker::accrue(Instant now) {
    credit_ = std::min(credit_ + to_seconds(now - accrued_) * ramp_rate(now), 2.0);
    accrued_ = now;
}

bool Breaker::gated(Instant now) {
    return state(now) == BreakerState::half_open && gate_ && probes_passed_ == 0 &&
           probes_out_ == 0 && avoided_ < kSparedPerProbe && now < gate_until_;
}

bool Breaker::ramping(Instant now) {
    return state(now) == BreakerState::closed && ramp_;
}

bool Breaker::allows(Instant now) {
    switch (state(now)) {
        case BreakerState::open:
            return false;
        case BreakerState::half_open:
            return !gated(now) && probes_out_ + probes_passed_ < std::max(config_.probes, 1U);
        case BreakerState::closed:
            break;
    }
    if (!ramp_) {
        return true;
    }
    accrue(now);
    return credit_ >= 1;
}

Instant Breaker::allows_at(Instant now) {
    if (allows(now)) {
        return now;
    }
    if (state_ == BreakerState::open) {
        return until_;
    }
    if (state_ == BreakerState::half_open) {
        return gated(now) ? gate_until_ : Instant::max();
    }
    const double wait = (1 - credit_) / std::max(ramp_rate(now), 0.1);
    return std::min(now + from_seconds(wait) + std::chrono::microseconds(10), ramp_start_ + kRamp);
}

Breaker::Permit Breaker::take(Instant now) {
    const bool probe = state(now) == BreakerState::half_open;
    if (probe) {
        ++probes_out_;
    } else if (ramp_) {
        credit_ -= 1;
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
        gate_ = false;
    }
}

Instant Breaker::may_probe_at(Witness who, bool failed_before, Instant now) {
    if (state(now) != BreakerState::half_open) {
        return now;
    }
    const bool same_again = failed_probe_of_ == who.client &&
                            evidence_.other_succeeded(who.client, now - kOthersExpected);
    if (sole_accuser_ == who.client && probes_out_ > 0) {
        return now + kAnyProbeAfter;  // room for the probes of others
    }
    return failed_before || same_again ? std::max(now, half_since_ + kAnyProbeAfter) : now;
}

void Breaker::success(Permit permit, Instant now, Witness who) {
    if (permit.epoch != epoch_) {
        return;
    }
    if (permit.probe) {
        --probes_out_;
        ++probes_passed_;
        if (probes_passed_ >= std::max(config_.probes, 1U)) {
            state_ = BreakerState::closed;
            ++epoch_;
            evidence_.clear();
            failed_probe_of_.reset();
            sole_accuser_.reset();
            tripped_by_ = 0;
            ramp_ = true;
            ramp_start_ = now;
            accrued_ = now;
            credit_ = 1;
        }
    }
    evidence_.good(who, config_.window, now);
}

void Breaker::give_back(Permit permit, Instant) {
    if (permit.epoch == epoch_ && permit.probe) {
        --probes_out_;
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
            --probes_out_;
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

void Breaker::judge(Random& random, Instant now) {
    if (state_ == BreakerState::closed &&
        evidence_.condemns(rule(), Evidence::View::believed, now)) {
        rate_before_ = std::max(kLeastRate, evidence_.total(config_.window, now) /
                                                std::max(0.1, to_seconds(config_.window)));
        sole_accuser_ = evidence_.sole_accuser(config_.window, now);
        trip(random, now);
        tripped_by_ = 0;
    }
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
    state_ = BreakerState::open;
    ++epoch_;
    ++times_open_;
    avoided_ = 0;
    opened_ = now;
    until_ = now + from_seconds(std::min(plain, longest) * spread);
    probes_out_ = 0;
    probes_passed_ = 0;
    ramp_ = false;
}

Instant Breaker::may_force_at() const {
    return times_open_ <= 1 ? opened_ : opened_ + (until_ - opened_) / 4;
}

void Breaker::force_half_open(Instant now) {
    state_ = BreakerState::half_open;
    half_since_ = now;
    gate_ = false;
    ++epoch_;
    probes_out_ = 0;
    probes_passed_ = 0;
}

}  // namespace weir::policy
