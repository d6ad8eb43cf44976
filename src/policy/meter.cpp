#include "policy/meter.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "policy/meter_constants.h"

namespace weir::policy {

namespace {
// Values that were tried: docs/tuning.md.
// Settlements over which the mean return of a call is taken.
constexpr double kReturns = 16;
// The tokens of one round of probes, as a part of the limit.
constexpr double kProbed = 0.08;
// Where the time of the next room is not known, it is estimated again after this part of a window.
constexpr int kFinest = 600;
// Of a window, at least as much as amounts stay longer for the slack and the width of a bucket.
constexpr int kCoarse = 10;
// Of a window: what others have used stays longer, by wider buckets, and what their calls have
// given back since then is told later. A learned limit that is too high costs every instance a
// refusal.
constexpr int kCoarsest = 24;
// The part of others' use that is certain.
constexpr double kSurePart = 0.98;

Book book_of(LimitKind kind) {
    switch (kind) {
        case LimitKind::requests:
            return Book::requests;
        case LimitKind::daily_tokens:
            return Book::daily_tokens;
        case LimitKind::output_tokens:
            return Book::output_tokens;
        case LimitKind::tokens:
        case LimitKind::input_tokens:
        case LimitKind::in_flight:
        case LimitKind::none:
            break;
    }
    return Book::tokens;
}
}  // namespace

Meter::Meter(LimitKind kind, Duration window, Duration slack, Window whose)
    : kind_(kind),
      log_(window, slack),
      refused_(window, slack),
      whose_(whose),
      shapes_(window, slack),
      probes_{.pause = window / kFirstProbe},
      learned_(kind, window) {}

void Meter::configure(std::optional<std::uint64_t> limit) {
    configured_ = limit;
    set_ceiling();
}

void Meter::set_ceiling() {
    const auto whole = limit();
    ceiling_ = whole ? std::optional(usable_part(*whole)) : std::nullopt;
}

void Meter::tick(Instant now) {
    log_.expire(now);
    now_ = std::max(now_, now);
    if (mirrored()) {
        refused_.expire(now);
        shapes_.advance(now_, refill());
    }
    if (!configured_ && learned_.limit()) {
        learned_.tick(now_);
        set_ceiling();
    }
}

Duration Meter::confirmed_ago() const {
    return learned() && learned_.refused_at() > Instant::min() ? now_ - learned_.refused_at()
                                                               : Duration::zero();
}

std::uint64_t Meter::by_others() const {
    if (shared_ == nullptr) {
        return 0;
    }
    const Book book = book_of(kind_);
    return shared_->others(book).used() + static_cast<std::uint64_t>(shared_->held_by_others(book));
}

/// What the service counts of theirs for certain: their log keeps things longer, what they were
/// granted they may not have sent, and what they have given back is known before it is known where
/// it stands there.
std::uint64_t Meter::surely_by_others(Instant now) const {
    if (shared_ == nullptr) {
        return 0;
    }
    const Book book = book_of(kind_);
    const SlidingLog& others = shared_->others(book);
    const std::uint64_t gone =
        others.freed_by(now + log_.window() / kCoarsest) + shared_->given_back_by_others(book);
    return static_cast<std::uint64_t>(
        kSurePart * static_cast<double>(others.used() - std::min(others.used(), gone)));
}

std::uint64_t Meter::freed_by(Instant at) const {
    return log_.freed_by(at) +
           (shared_ == nullptr ? 0 : shared_->freed_by_others(book_of(kind_), at));
}

/// When so much of what is used now, by anybody, will have expired.
Instant Meter::frees(std::uint64_t amount) const {
    if (shared_ == nullptr) {
        return log_.frees(amount);
    }
    Instant late = now_ + log_.window() + log_.window() / kCoarse;
    if (amount == 0 || freed_by(late) < amount) {
        return amount == 0 ? Instant::min() : Instant::max();
    }
    Instant early = now_;
    while (late - early > log_.window() / kFinest) {
        const Instant middle = early + (late - early) / 2;
        (freed_by(middle) < amount ? early : late) = middle;
    }
    return late;
}

std::optional<std::uint64_t> Meter::top() const {
    auto most = ceiling();
    if (most && foreign_.tokens > 0) {
        *most -= std::min(*most, foreign());
    }
    return most;
}

void Meter::set_doubts(double squares) {
    under_way_.doubts = under_way_.reserved == 0 ? 0 : std::max(0.0, squares);
    under_way_.margin = static_cast<std::uint64_t>(std::sqrt(under_way_.doubts));
}

std::uint64_t Meter::end_doubt(std::uint64_t amount, Trial& trial) {
    const std::uint32_t doubt = std::exchange(trial.doubt, 0);
    under_way_.reserved -= amount;
    if (doubt > 0) {
        set_doubts(under_way_.doubts - static_cast<double>(doubt) * doubt);
    }
    return amount - doubt;
}

double Meter::full_limit() const {
    return static_cast<double>(limit().value_or(0));
}

/// What a window's buckets are thought to refill by, a limit known or not.
double Meter::refill() const {
    return static_cast<double>(limit().value_or(learned_.peak()));
}

WindowShapes::Ask Meter::ask(std::uint64_t amount) const {
    return {.amount = static_cast<double>(amount),
            .held = static_cast<double>(under_way_.expected + under_way_.margin),
            .used = static_cast<double>(log_.used() + by_others()),
            .limit = static_cast<double>(top().value_or(0)),
            .doubt = 0};
}

bool Meter::log_allows(std::uint64_t amount) const {
    const auto most = top();
    return !most || (amount <= *most && used() <= *most - amount);
}

bool Meter::allowed(std::uint64_t amount) const {
    const bool by_log = log_allows(amount);
    if (!by_mirrors()) {
        return by_log;
    }
    return (by_log || (goes_beyond() && beyond_.out < beyond_.allowed)) &&
           shapes_.acceptance(ask(amount)) >= kEnough;
}

/// When the next probe may go, if a shape would take it.
Instant Meter::probe_at() const {
    return probes_.going_on ? probes_.last + log_.window() / kFinest : probes_.next;
}

/// A probe is worth a refusal only where a shape says clearly that there is none.
bool Meter::may_probe(std::uint64_t amount) const {
    if (!by_mirrors() || now_ < std::max(probe_at(), probes_.put_off_until) || suspects()) {
        return false;
    }
    if (learned()) {
        return true;
    }
    if (!goes_beyond()) {
        return false;
    }
    WindowShapes::Ask whole = ask(amount);
    whole.limit = full_limit();
    return shapes_.forecast(whole).accepts != 0;
}

bool Meter::fits(std::uint64_t amount) const {
    return allowed(amount) || may_probe(amount);
}

Instant Meter::log_fits_at(std::uint64_t amount, std::uint64_t most, Instant now) const {
    if (amount > most || under_way_.expected + under_way_.margin > most - amount) {
        return Instant::max();
    }
    const std::uint64_t room = most - amount;
    const std::uint64_t total = used();
    return total <= room ? now : std::max(now, frees(total - room));
}

Instant Meter::fits_at(std::uint64_t amount, Instant now) const {
    const auto most = top();
    if (!most) {
        return now;
    }
    Instant at = log_fits_at(amount, *most, now);
    if (by_mirrors()) {
        const WindowShapes::Ask asked = ask(amount);
        const Instant by_log = at;
        at = std::max(now, shapes_.accepted_at(asked, kEnough, by_log));
        if (!goes_beyond() || beyond_.out >= beyond_.allowed) {
            at = std::max(at, by_log);  // or when one of those is answered
        }
        if (learned() && !suspects()) {
            at = std::min(at, std::max({now, probe_at(), probes_.put_off_until}));
        } else if (goes_beyond() && !suspects()) {
            const Instant possible = shapes_.possible_at(asked, by_log);
            at = std::min(at, std::max({now, probe_at(), probes_.put_off_until, possible}));
        }
    }
    if (at > now && foreign_.tokens > 0) {
        // Room may also come by what others are thought to use fading away.
        const double left = static_cast<double>(ceiling().value_or(0)) -
                            static_cast<double>(used()) - static_cast<double>(amount);
        const double kept = foreign_at(now);
        if (left > 0 && kept > left) {
            const double windows = std::log(kept / left) * kForeignMemory;
            at = std::min(at, now + from_seconds(windows * to_seconds(log_.window())));
        }
    }
    if (at == Instant::max() && shared_ != nullptr && learned() && !suspects()) {
        at = now + log_.window() / kFirstProbe;  // as a probe; the books say when
    }
    return at > now || fits(amount) ? at : now + log_.window() / kFinest;
}

std::uint64_t Meter::spare_beside(std::uint64_t amount) const {
    const auto most = top();
    if (!most || amount > *most || used() > *most) {
        return 0;
    }
    const std::uint64_t room = *most - used();
    if (amount <= room) {
        return room - amount;
    }
    // Room comes in whole buckets of the log: what its turn brings beyond its need is spare.
    const std::uint64_t missing = amount - room;
    const std::uint64_t freed = freed_by(frees(missing));
    return std::min(room, freed - std::min(freed, missing));
}

Instant Meter::turn_at(double need, double settling, double service_seconds, Instant now) const {
    const auto most = top();
    if (!most) {
        return now;
    }
    const double ceiling = std::max<double>(1, static_cast<double>(*most));
    const Instant by_log = log_turn_at(need, ceiling, settling, service_seconds, now);
    if (!by_mirrors()) {
        return by_log;
    }
    const WindowShapes::Backlog backlog{.amount = need,
                                        .held = static_cast<double>(under_way_.expected),
                                        .limit = ceiling,
                                        .settling = settling,
                                        .service_seconds = service_seconds};
    const Instant at = std::max(now, shapes_.turn_at(backlog, by_log));
    return goes_beyond() ? at : std::max(at, by_log);
}

Instant Meter::log_turn_at(double need, double ceiling, double settling, double service_seconds,
                           Instant now) const {
    const double held = static_cast<double>(used());
    const double missing = need - (ceiling - held);
    if (missing <= 0) {
        return now;
    }
    if (settling >= missing) {
        return now + from_seconds(service_seconds * missing / settling);
    }
    const double rest = missing - settling;
    const double rounds = std::floor(rest / ceiling);
    const double last = std::min(rest - rounds * ceiling, held);
    Instant at = frees(static_cast<std::uint64_t>(last));
    if (at == Instant::max() || at == Instant::min()) {
        at = now;
    }
    const double windows = std::min(rounds, 1e6) * to_seconds(log_.window());
    return std::max(at, now) + from_seconds(std::min(windows, 1e9));
}

void Meter::hold(std::uint64_t amount, Trial& trial) {
    if (shared_ != nullptr) {
        // The books say when a probe may go, by whichever instance.
        trial.probe = learned() && !allowed(amount);
    } else if (!allowed(amount)) {
        trial.probe = true;
        probes_.probed = probes_.going_on ? probes_.probed + amount : amount;
        probes_.last = now_;
        // Together they must go further than what is too close to call.
        probes_.going_on =
            learned() || static_cast<double>(probes_.probed) < kProbed * full_limit();
        probes_.next = now_ + probes_.pause;
    } else if (!log_allows(amount)) {
        trial.beyond = true;
        ++beyond_.out;
    }
    under_way_.expected += amount - trial.doubt;
    under_way_.reserved += amount;
    if (trial.doubt > 0) {
        set_doubts(under_way_.doubts + static_cast<double>(trial.doubt) * trial.doubt);
    }
}

void Meter::release(std::uint64_t amount, Trial& trial) {
    under_way_.expected -= end_doubt(amount, trial);
}

void Meter::refund(std::uint64_t amount, Instant stamped, Trial& trial) {
    const std::uint64_t logged = end_doubt(amount, trial);
    log_.remove(stamped, logged);
    if (mirrored()) {
        shapes_.refund(stamped, static_cast<double>(logged));
    }
}

void Meter::keep(std::uint64_t amount, std::uint64_t surplus, Instant now, Trial& trial) {
    const std::uint64_t more = amount - end_doubt(amount, trial) + surplus;
    log_.add(now, more);
    if (mirrored()) {
        shapes_.charge(now, static_cast<double>(more));
    }
}

void Meter::settle(std::uint64_t amount, std::uint64_t actual, Instant stamped, Instant now,
                   Trial& trial) {
    const std::uint64_t logged = end_doubt(amount, trial);
    const double back = static_cast<double>(logged - std::min(logged, actual));
    returned_ += (back - returned_) / kReturns;
    if (actual < logged) {
        log_.remove(stamped, logged - actual);
    } else {
        log_.add(now, actual - logged);
    }
    if (!mirrored()) {
        return;
    }
    if (actual < logged) {
        shapes_.refund(stamped, static_cast<double>(logged - actual));
    } else {
        shapes_.charge(now, static_cast<double>(actual - logged));
    }
}

}  // namespace weir::policy
