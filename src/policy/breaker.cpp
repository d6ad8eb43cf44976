#include "policy/breaker.h"

#include <algorithm>
#include <cmath>

namespace weir::policy {

namespace {
// An outage of one of two Regions at loads 0.8 and 1.2, and two short ones of the only Region at
// 0.6, seeds 21-24: kRamp 2 to 30 s, kRampFloor 0.02 to 0.5, kLeastRate 1 to 50, kLeastForShare 5
// to 30 and kSparedPerProbe 10 to 100 differ by 0.2 % of tokens at most (the only Region: 99.0; a
// ramp of 2 s 99.1, of 30 s 98.9). The ramp is for a Region that comes back weak, which plan does
// not have.
constexpr Duration kRamp = std::chrono::seconds(10);
constexpr double kRampFloor = 0.1;
constexpr double kLeastRate = 10;  // a second; a quiet place need not be eased in
constexpr std::uint32_t kLeastForShare = 10;
constexpr std::uint32_t kSparedPerProbe = 30;
}  // namespace

Duration Breaker::bucket_width() const {
    return std::max<Duration>(config_.window / kBuckets, Duration(1));
}

Breaker::Second& Breaker::bucket(Instant now) {
    const std::int64_t number = now.time_since_epoch() / bucket_width();
    Second& second = recent_[static_cast<std::uint64_t>(number) % kBuckets];
    if (second.number != number) {
        second = Second{number, 0, 0};
    }
    return second;
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

void Breaker::success(Permit permit, Instant now) {
    if (permit.epoch != epoch_) {
        return;
    }
    if (permit.probe) {
        --probes_out_;
        ++probes_passed_;
        if (probes_passed_ >= std::max(config_.probes, 1U)) {
            state_ = BreakerState::closed;
            ++epoch_;
            streak_ = 0;
            recent_ = {};
            ramp_ = true;
            ramp_start_ = now;
            accrued_ = now;
            credit_ = 1;
        }
        return;
    }
    streak_ = 0;
    ++bucket(now).total;
}

void Breaker::alive(Permit permit, Instant now) {
    success(permit, now);
}

void Breaker::give_back(Permit permit, Instant) {
    if (permit.epoch == epoch_ && permit.probe) {
        --probes_out_;
    }
}

void Breaker::failure(Permit permit, double weight, Random& random, Instant now) {
    if (permit.epoch != epoch_) {
        return;
    }
    if (permit.probe) {
        trip(random, now);
        return;
    }
    Second& second = bucket(now);
    ++second.total;
    second.failures += weight;
    streak_ += weight;
    double failures = 0;
    std::uint32_t total = 0;
    const std::int64_t oldest = second.number - static_cast<std::int64_t>(kBuckets);
    for (const Second& s : recent_) {
        if (s.number > oldest) {
            failures += s.failures;
            total += s.total;
        }
    }
    if (streak_ >= config_.failures ||
        (total >= kLeastForShare && failures >= config_.failure_share * total)) {
        rate_before_ = std::max(kLeastRate, total / std::max(0.1, to_seconds(config_.window)));
        trip(random, now);
    }
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

void Breaker::force_half_open(Instant) {
    state_ = BreakerState::half_open;
    gate_ = false;
    ++epoch_;
    probes_out_ = 0;
    probes_passed_ = 0;
}

}  // namespace weir::policy
