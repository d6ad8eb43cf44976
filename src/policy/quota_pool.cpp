#include "policy/quota_pool.h"

#include <algorithm>
#include <limits>

namespace weir::policy {

namespace {
constexpr Duration kDay = std::chrono::hours(24);
constexpr Duration kDaySlack = std::chrono::milliseconds(250);
// A fifth, and four times of these: loads of meter.cpp the same; f on b60 0.044 and 0.026 refusals
// instead of 0.035, on sliding 75.9 and 75.8 % of tokens.
constexpr Duration kJitterLow = std::chrono::milliseconds(100);
constexpr Duration kJitterHigh = std::chrono::milliseconds(300);
// A server's word is obeyed up to here; beyond, it is tried again to see whether it still holds.
constexpr Duration kLongestPause = std::chrono::minutes(5);
}  // namespace

Duration QuotaPool::slack_for(Duration window) {
    const Duration full = std::chrono::milliseconds(250);
    return std::clamp<Duration>(window / 240, std::chrono::milliseconds(100), full);
}

QuotaPool::QuotaPool(Duration window, Meter::Window whose, PoolLimits limits)
    : meters_{Meter(LimitKind::requests, window, slack_for(window), whose),
              Meter(limits.apart ? LimitKind::input_tokens : LimitKind::tokens, window,
                    slack_for(window), whose),
              Meter(LimitKind::daily_tokens, kDay, kDaySlack, Meter::Window::ours)},
      output_(limits.apart ? std::make_unique<Meter>(LimitKind::output_tokens, window,
                                                     slack_for(window), Meter::Window::ours)
                           : nullptr) {
    configure(limits);
}

void QuotaPool::configure(PoolLimits limits) {
    meters_[0].configure(limits.requests);
    meters_[1].configure(limits.tokens);
    meters_[2].configure(limits.daily_tokens);
    if (output_) {
        output_->configure(limits.output_tokens);
    }
}

void QuotaPool::tick(Instant now) {
    for (Meter& meter : meters_) {
        meter.tick(now);
    }
    if (output_) {
        output_->tick(now);
    }
}

LimitKind QuotaPool::blocked_by(Amount amount) const {
    if (!meters_[2].fits(amount.tokens)) {
        return LimitKind::daily_tokens;
    }
    if (!meters_[1].fits(amount.tokens)) {
        return meters_[1].kind();
    }
    if (output_ && !output_->fits(amount.output)) {
        return LimitKind::output_tokens;
    }
    return meters_[0].fits(1) ? LimitKind::none : LimitKind::requests;
}

LimitKind QuotaPool::try_fit(Amount amount) {
    const LimitKind kind = blocked_by(amount);
    for (Meter& meter : meters_) {
        if (meter.kind() == kind) {
            meter.bind();
        }
    }
    return kind;
}

std::uint64_t QuotaPool::spare_beside(Amount amount) const {
    if (!meters_[0].fits(1) || !meters_[2].fits(amount.tokens) ||
        (output_ && !output_->fits(amount.output))) {
        return 0;
    }
    return meters_[1].spare_beside(amount.tokens);
}

Instant QuotaPool::fits_at(Amount amount, Instant now) const {
    Instant at = std::max(now, pause_until_);
    at = std::max(at, meters_[0].fits_at(1, now));
    at = std::max(at, meters_[1].fits_at(amount.tokens, now));
    if (output_) {
        at = std::max(at, output_->fits_at(amount.output, now));
    }
    return std::max(at, meters_[2].fits_at(amount.tokens, now));
}

std::optional<std::uint64_t> QuotaPool::largest() const {
    auto most = meters_[1].ceiling();
    const auto day = meters_[2].ceiling();
    return most && day ? std::min(most, day) : (most ? most : day);
}

std::optional<std::uint64_t> QuotaPool::hard_limit() const {
    // A learned limit is a guess about the present, not a fact about what can ever fit.
    const auto most = meters_[1].learned() ? std::nullopt : meters_[1].limit();
    const auto day = meters_[2].limit();
    return most && day ? std::min(most, day) : (most ? most : day);
}

std::optional<std::uint64_t> QuotaPool::largest_output() const {
    return output_ ? output_->ceiling() : std::nullopt;
}

Reservation QuotaPool::hold(Amount amount, std::uint64_t doubt) {
    Reservation made{this, amount.tokens, output_ ? amount.output : 0, {}, false, {}, {}};
    made.trials[1].doubt = static_cast<std::uint32_t>(
        std::min<std::uint64_t>({doubt, amount.tokens, std::numeric_limits<std::uint32_t>::max()}));
    meters_[0].hold(1, made.trials[0]);
    meters_[1].hold(amount.tokens, made.trials[1]);
    meters_[2].hold(amount.tokens, made.trials[2]);
    if (output_) {
        output_->hold(made.output, made.output_trial);
    }
    ++outstanding_;
    return made;
}

void QuotaPool::sent(Reservation& reservation, Instant now) {
    if (reservation.is_stamped) {
        return;
    }
    meters_[0].stamp(1, now, reservation.trials[0]);
    meters_[1].stamp(reservation.tokens, now, reservation.trials[1]);
    meters_[2].stamp(reservation.tokens, now, reservation.trials[2]);
    if (output_) {
        output_->stamp(reservation.output, now, reservation.output_trial);
    }
    reservation.stamped = now;
    reservation.is_stamped = true;
}

void QuotaPool::stamp_if_needed(Reservation& reservation, Instant now) {
    sent(reservation, now);
}

/// An attempt that ended without an answer to learn from is no probe any more.
void QuotaPool::end(Reservation& reservation, Instant now) {
    for (std::size_t i = 0; i < meters_.size(); ++i) {
        meters_[i].answered(reservation.trials[i], Meter::Answer::none, 0, now);
    }
    --outstanding_;
    reservation.pool = nullptr;
}

bool QuotaPool::accepted(Reservation& reservation, Instant now) {
    refusals_in_a_row_ = 0;
    const auto answer = Meter::Answer::accepted;
    const bool requests = meters_[0].answered(reservation.trials[0], answer, 1, now);
    const bool tokens = meters_[1].answered(reservation.trials[1], answer, reservation.tokens, now);
    return requests || tokens;
}

void QuotaPool::give_back_all(Reservation& reservation, Instant now) {
    if (reservation.is_stamped) {
        meters_[0].refund(1, reservation.stamped, reservation.trials[0]);
        meters_[1].refund(reservation.tokens, reservation.stamped, reservation.trials[1]);
        meters_[2].refund(reservation.tokens, reservation.stamped, reservation.trials[2]);
        refund_output(reservation);
    } else {
        meters_[0].release(1, reservation.trials[0]);
        meters_[1].release(reservation.tokens, reservation.trials[1]);
        meters_[2].release(reservation.tokens, reservation.trials[2]);
        if (output_) {
            output_->release(reservation.output, reservation.output_trial);
        }
    }
    end(reservation, now);
}

void QuotaPool::give_back_tokens(Reservation& reservation, Instant now) {
    stamp_if_needed(reservation, now);
    meters_[0].keep(1, 0, now, reservation.trials[0]);
    meters_[1].refund(reservation.tokens, reservation.stamped, reservation.trials[1]);
    meters_[2].refund(reservation.tokens, reservation.stamped, reservation.trials[2]);
    refund_output(reservation);
    end(reservation, now);
}

/// Of a reservation that was stamped.
void QuotaPool::refund_output(Reservation& reservation) {
    if (output_) {
        output_->refund(reservation.output, reservation.stamped, reservation.output_trial);
    }
}

void QuotaPool::keep(Reservation& reservation, Amount seen, Instant now) {
    stamp_if_needed(reservation, now);
    const std::uint64_t surplus =
        seen.tokens > reservation.tokens ? seen.tokens - reservation.tokens : 0;
    meters_[0].keep(1, 0, now, reservation.trials[0]);
    meters_[1].keep(reservation.tokens, surplus, now, reservation.trials[1]);
    meters_[2].keep(reservation.tokens, surplus, now, reservation.trials[2]);
    if (output_) {
        const std::uint64_t more =
            seen.output > reservation.output ? seen.output - reservation.output : 0;
        output_->keep(reservation.output, more, now, reservation.output_trial);
    }
    end(reservation, now);
}

void QuotaPool::settle(Reservation& reservation, Amount actual, Instant now) {
    stamp_if_needed(reservation, now);
    const Instant stamped = reservation.stamped;
    meters_[0].keep(1, 0, now, reservation.trials[0]);
    meters_[1].settle(reservation.tokens, actual.tokens, stamped, now, reservation.trials[1]);
    meters_[2].settle(reservation.tokens, actual.tokens, stamped, now, reservation.trials[2]);
    if (output_) {
        output_->settle(reservation.output, actual.output, stamped, now, reservation.output_trial);
    }
    end(reservation, now);
}

Instant QuotaPool::refused(LimitKind kind, Reservation& reservation,
                           std::optional<Duration> retry_after, Random& random, Instant now) {
    stamp_if_needed(reservation, now);
    const std::uint64_t tokens = reservation.tokens;
    const Amount amount(tokens, reservation.output);
    meters_[0].keep(1, 0, now, reservation.trials[0]);
    meters_[1].refund(tokens, reservation.stamped, reservation.trials[1]);
    meters_[2].refund(tokens, reservation.stamped, reservation.trials[2]);
    refund_output(reservation);
    const auto answer = Meter::Answer::refused;
    if (kind == LimitKind::requests &&
        !apart()) {  // there no requests are counted, whatever it says
        meters_[0].answered(reservation.trials[0], answer, 1, now);
        meters_[0].refused(1, true, now);
    } else {
        meters_[1].answered(reservation.trials[1], answer, tokens, now);
        meters_[1].refused(tokens, false, now);
        // The request stays logged though it was not accepted, should that limit be learned later.
        meters_[0].tick(now);
    }
    end(reservation, now);
    const Instant computed = fits_at(amount, now);
    Instant pause = now;
    if (retry_after) {
        pause = now + std::clamp<Duration>(*retry_after, Duration::zero(), kLongestPause);
    } else if (computed <= now) {
        // Our log shows room where the service sees none: somebody else is using it, or the limit
        // is not what we were told. Back off from 1/120 of a window up to a quarter.
        const std::uint32_t step = std::min<std::uint32_t>(refusals_in_a_row_, 5);
        pause = now + std::min<Duration>(window() / 120 * (1 << step), window() / 4);
    }
    if (now >= pause_until_) {
        ++refusals_in_a_row_;
    }
    pause += random.between(kJitterLow, kJitterHigh);
    pause_until_ = std::max(pause_until_, pause);
    return std::max(pause_until_, computed);
}

const Meter& QuotaPool::meter(LimitKind kind) const {
    switch (kind) {
        case LimitKind::requests:
            return meters_[0];
        case LimitKind::daily_tokens:
            return meters_[2];
        case LimitKind::output_tokens:
            if (output_) {
                return *output_;
            }
            break;
        case LimitKind::tokens:
        case LimitKind::input_tokens:
        case LimitKind::in_flight:
        case LimitKind::none:
            break;
    }
    return meters_[1];
}

}  // namespace weir::policy
