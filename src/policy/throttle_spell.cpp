#include "policy/throttle_spell.h"

#include <algorithm>
#include <cmath>

namespace weir::policy {

namespace {
// The schedule's reasons: docs/tuning.md.
constexpr Duration kLeastSilence = std::chrono::milliseconds(300);
constexpr Duration kMostSilence = std::chrono::seconds(2);
constexpr int kSilenceTimes = 4;  // what the refusal took
// A round of this many calls without a refusal ends the spell.
constexpr std::uint32_t kWideOpen = 64;
// In sixtieths of a window after the first refusal.
constexpr double kFirstProbes[] = {1, 3, 5, 7.5, 10};
constexpr double kLeastPause = 0.9;
}  // namespace

Duration pause_told(std::optional<Duration> retry_after) {
    return std::clamp<Duration>(retry_after.value_or(Duration::zero()), Duration::zero(),
                                std::chrono::minutes(5));
}

Instant spread(Instant at, Random& random) {
    return at + random.between(std::chrono::milliseconds(100), std::chrono::milliseconds(300));
}

Duration ThrottleSpell::due_after(Duration elapsed) const {
    const double unit = to_seconds(window_) / 60;
    const double least = to_seconds(elapsed) / unit + kLeastPause;
    for (const double due : kFirstProbes) {
        if (due >= least) {
            return from_seconds(due * unit);
        }
    }
    const double step = least < 60 ? 5 : 10;
    return from_seconds(std::ceil(least / step) * step * unit);
}

Instant ThrottleSpell::opens_at() const {
    if (taken_ < allowed_) {
        return next_;
    }
    return first_sent_ ? *first_sent_ + silence_ : Instant::max();
}

/// The round is taken to be accepted: the next one is twice as wide.
void ThrottleSpell::pass() {
    ++round_;
    refused_probes_ = 0;
    taken_ = 0;
    first_sent_.reset();
    next_ = Instant::min();
    if (allowed_ >= kWideOpen) {
        phase_ = Phase::open;
        allowed_ = 1;
        return;
    }
    phase_ = Phase::ramp;
    allowed_ *= 2;
}

void ThrottleSpell::tick(Instant now) {
    if (phase_ != Phase::open && first_sent_ && now >= *first_sent_ + silence_) {
        pass();
    }
}

ThrottleSpell::Ticket ThrottleSpell::take() {
    if (phase_ == Phase::open) {
        return {};
    }
    ++taken_;
    return {round_};
}

void ThrottleSpell::sent(Ticket ticket, Instant now) {
    if (active() && ticket.round == round_ && !first_sent_) {
        first_sent_ = now;
    }
}

void ThrottleSpell::refused(Ticket ticket, std::optional<Duration> retry_after, Duration took,
                            Random& random, Instant now) {
    const bool fresh = phase_ == Phase::open;
    if (fresh) {
        silence_ = kLeastSilence;
        refused_probes_ = 0;
    }
    silence_ = std::clamp<Duration>(took * kSilenceTimes, silence_, kMostSilence);
    const Duration told = pause_told(retry_after);
    if (!fresh && ticket.round < since_) {
        // It was on its way when another was refused: no news, but for the server's word.
        if (retry_after && phase_ == Phase::probing) {
            next_ = std::max(next_, spread(now + told, random));
        }
        return;
    }
    if (phase_ == Phase::probing) {
        ++refused_probes_;
    } else {
        started_ = now;
    }
    phase_ = Phase::probing;
    since_ = ++round_;
    allowed_ = 1;
    taken_ = 0;
    first_sent_.reset();
    next_ = spread(retry_after ? now + told : started_ + due_after(now - started_), random);
}

void ThrottleSpell::expect() {
    if (phase_ == Phase::open) {
        phase_ = Phase::ramp;
        since_ = ++round_;
        allowed_ = 1;
        taken_ = 0;
        refused_probes_ = 0;
        silence_ = kLeastSilence;
        first_sent_.reset();
        next_ = Instant::min();
    }
}

bool ThrottleSpell::accepted(Ticket ticket) {
    if (phase_ == Phase::open || ticket.round != round_) {
        return false;
    }
    pass();
    return true;
}

void ThrottleSpell::lost(Ticket ticket) {
    if (active() && ticket.round == round_ && taken_ > 0) {
        --taken_;
        if (taken_ == 0) {
            first_sent_.reset();
        }
    }
}

}  // namespace weir::policy
