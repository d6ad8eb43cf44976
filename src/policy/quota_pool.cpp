#include "policy/quota_pool.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace weir::policy {

namespace {
constexpr Duration kDaySlack = std::chrono::milliseconds(250);
// This many refused probes in a row are not explained by foreign use.
constexpr std::uint32_t kNotForeign = 4;
constexpr int kLooks = 600;  // a window
}  // namespace

Duration QuotaPool::slack_for(Duration window) {
    const Duration full = std::chrono::milliseconds(250);
    return std::clamp<Duration>(window / 240, std::chrono::milliseconds(100), full);
}

QuotaPool::QuotaPool(Duration window, Meter::Window whose, PoolLimits limits)
    : meters_{Meter(LimitKind::requests, window, slack_for(window), whose),
              Meter(limits.apart ? LimitKind::input_tokens : LimitKind::tokens, window,
                    slack_for(window), whose),
              Meter(LimitKind::daily_tokens, std::chrono::hours(24), kDaySlack,
                    Meter::Window::ours)},
      output_(limits.apart ? std::make_unique<Meter>(LimitKind::output_tokens, window,
                                                     slack_for(window), Meter::Window::ours)
                           : nullptr),
      spell_(window),
      past_(window) {
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
    spell_.tick(now);
    past_.tick(now);
    if (shared_) {
        shared_->tick(now);
        shared_->set_limits(ceilings());
        if (shared_->mode() == SharedQuota::Mode::alone) {
            shared_->stand_alone(used_by_all());
        }
    }
}

LimitKind QuotaPool::blocked_by(Amount amount) const {
    if (!shared_) {
        return blocked_here(amount);
    }
    const bool joined = shared_->mode() == SharedQuota::Mode::joined;
    const LimitKind here = joined ? LimitKind::none : blocked_here(amount);
    if (here != LimitKind::none || shared_->covers(booked(amount), used_by_all())) {
        return here;
    }
    const LimitKind likely = blocked_here(amount);
    return likely != LimitKind::none ? likely : meters_[1].kind();
}

LimitKind QuotaPool::blocked_here(Amount amount) const {
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

std::uint64_t QuotaPool::spare_beside(Amount amount) const {
    if (!meters_[0].fits(1) || !meters_[2].fits(amount.tokens) ||
        (output_ && !output_->fits(amount.output))) {
        return 0;
    }
    return meters_[1].spare_beside(amount.tokens);
}

Instant QuotaPool::fits_at(Amount amount, Instant now) const {
    Instant at = std::max(now, paused_until());
    at = std::max(at, meters_[0].fits_at(1, now));
    at = std::max(at, meters_[1].fits_at(amount.tokens, now));
    if (output_) {
        at = std::max(at, output_->fits_at(amount.output, now));
    }
    at = std::max(at, meters_[2].fits_at(amount.tokens, now));
    // What the other instances leave, only the books or the next look can tell.
    const bool others = shared_ && at <= now && blocked_by(amount) != LimitKind::none;
    return others ? now + window() / kLooks : at;
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
    Reservation made{this, amount.tokens, output_ ? amount.output : 0,
                     {},   false,         {},
                     {},   spell_.take(), past_.take(),
                     {}};
    made.trials[1].doubt = static_cast<std::uint32_t>(
        std::min<std::uint64_t>({doubt, amount.tokens, std::numeric_limits<std::uint32_t>::max()}));
    meters_[0].hold(1, made.trials[0]);
    meters_[1].hold(amount.tokens, made.trials[1]);
    meters_[2].hold(amount.tokens, made.trials[2]);
    if (output_) {
        output_->hold(made.output, made.output_trial);
    }
    if (shared_) {
        made.shared = shared_->hold(booked(amount));
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
    if (shared_) {
        shared_->sent(reservation.shared, booked({reservation.tokens, reservation.output}));
    }
    spell_.sent(reservation.spell, now);
    past_.sent(reservation.past, now);
}

void QuotaPool::stamp_if_needed(Reservation& reservation, Instant now) {
    sent(reservation, now);
}

/// An attempt that ended without an answer to learn from is no probe any more.
void QuotaPool::end(Reservation& reservation, Instant now) {
    for (std::size_t i = 0; i < meters_.size(); ++i) {
        meters_[i].answered(reservation.trials[i], Meter::Answer::none, 0, now);
    }
    spell_.lost(reservation.spell);
    past_.lost(reservation.past);
    --outstanding_;
    reservation.pool = nullptr;
}

bool QuotaPool::accepted(Reservation& reservation, Instant now) {
    const bool cleared = past_.accepted(reservation.past);
    const bool passed = spell_.accepted(reservation.spell);
    reservation.spell = {};
    const auto answer = Meter::Answer::accepted;
    const bool requests = meters_[0].answered(reservation.trials[0], answer, 1, now);
    const bool tokens = meters_[1].answered(reservation.trials[1], answer, reservation.tokens, now);
    return requests || tokens || passed || cleared;
}

void QuotaPool::give_back_all(Reservation& reservation, Instant now) {
    if (reservation.is_stamped) {
        meters_[0].refund(1, reservation.stamped, reservation.trials[0]);
        meters_[1].refund(reservation.tokens, reservation.stamped, reservation.trials[1]);
        meters_[2].refund(reservation.tokens, reservation.stamped, reservation.trials[2]);
        refund_output(reservation);
        book_actual(reservation, 0, 0);
    } else {
        if (shared_) {
            shared_->give_back(reservation.shared,
                               booked({reservation.tokens, reservation.output}));
        }
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
    book_actual(reservation, 0);
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
    book_actual(reservation, {std::max(seen.tokens, reservation.tokens),
                              std::max(seen.output, reservation.output)});
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
    book_actual(reservation, actual);
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
    const Duration took = now - reservation.stamped;
    meters_[0].keep(1, 0, now, reservation.trials[0]);
    meters_[1].refund(tokens, reservation.stamped, reservation.trials[1]);
    meters_[2].refund(tokens, reservation.stamped, reservation.trials[2]);
    refund_output(reservation);
    book_actual(reservation, 0);
    // Where output is apart no requests are counted, whatever the message says.
    const bool by_requests = kind == LimitKind::requests && !apart();
    Meter& meter = by_requests ? meters_[0] : meters_[1];
    Meter::Trial& trial = reservation.trials[by_requests ? 0 : 1];
    const std::uint64_t asked = by_requests ? 1 : tokens;
    if (blames_past(meter, asked, now)) {
        return refused_by_past(meter, trial, by_requests, reservation, retry_after, random, now);
    }
    // One that is refused again by itself, or far from the limit, is not about our use.
    const bool sheds = spell_.refused_probes() >= kNotForeign || meter.far_from_limit(trial, asked);
    if (!spell_.probing()) {
        meter.remember_foreign();
    }
    const bool ours = meter.explained(trial, asked);
    const bool probed = shared_ != nullptr && trial.probe;
    meter.answered(trial, sheds ? Meter::Answer::shed : Meter::Answer::refused, asked, now);
    meter.refused(asked, trial.reach, by_requests, spell_.news(reservation.spell), now);
    const ThrottleSpell::Ticket ticket = reservation.spell;
    if (!ours || sheds || spell_.probing() || (!probed && fits_at(amount, now) <= now)) {
        spell_.refused(ticket, retry_after, took, random, now);
        if (spell_.refused_probes() == kNotForeign) {
            meter.not_foreign();
        }
    } else {
        // The log says when there is room; the server may know better.
        spell_.lost(ticket);
        pause_until_ = std::max(pause_until_, spread(now + pause_told(retry_after), random));
    }
    reservation.spell = {};
    end(reservation, now);
    return fits_at(amount, now);
}

void QuotaPool::share(std::unique_ptr<SharedQuota> shared) {
    shared_ = std::move(shared);
    for (Meter& meter : meters_) {
        meter.share(shared_.get());
    }
    if (output_) {
        output_->share(shared_.get());
    }
}

bool QuotaPool::awaits_grant(Amount amount) const {
    return shared_ && shared_->mode() == SharedQuota::Mode::joined &&
           !shared_->covers(booked(amount), used_by_all());
}

BookAmounts QuotaPool::booked(Amount amount) const {
    const auto tokens = static_cast<std::int64_t>(amount.tokens);
    return {1, tokens, tokens, output_ ? static_cast<std::int64_t>(amount.output) : 0};
}

BookAmounts QuotaPool::used_by_all() const {
    const auto used = [](const Meter& m) { return static_cast<std::int64_t>(m.used()); };
    return {used(meters_[0]), used(meters_[1]), used(meters_[2]), output_ ? used(*output_) : 0};
}

BookAmounts QuotaPool::ceilings() const {
    const auto most = [](const Meter& m) {
        const auto c = m.ceiling();
        return c ? static_cast<std::int64_t>(*c - std::min(*c, m.foreign())) : -1;
    };
    return {most(meters_[0]), most(meters_[1]), most(meters_[2]), output_ ? most(*output_) : -1};
}

void QuotaPool::teach_limits(Instant now) {
    const bool may_send = !throttled() && paused_until() <= now;
    for (std::size_t b = 0; b < kLearned; ++b) {
        BookExchange::Learned lesson = meters_[b].lesson();
        lesson.probes = lesson.probes && may_send;
        shared_->teach(static_cast<Book>(b), lesson);
    }
}

void QuotaPool::learn_limits() {
    for (std::size_t b = 0; b < kLearned; ++b) {
        meters_[b].adopt(shared_->learned(static_cast<Book>(b)));
    }
}

void QuotaPool::book_actual(Reservation& reservation, Amount actual, std::int64_t requests) {
    if (shared_) {
        BookAmounts used = booked(actual);
        used[0] = requests;
        shared_->settle(reservation.shared, booked({reservation.tokens, reservation.output}), used);
    }
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
