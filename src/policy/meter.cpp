#include "policy/meter.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "policy/meter_constants.h"

namespace weir::policy {

namespace {
// What the constants were varied to: see meter_constants.h for the names of the traces.
// One part in so many of a limit is not used, should an estimate be wrong. 100, 200, 333 and none:
// c 88.8, 89.2, 89.3, 89.5; f at 100 and 200 0.048, 0.053 refusals.
constexpr std::uint64_t kHeadRoom = 200;
// What a call gives back when it is settled is a mean over so many.
constexpr double kReturns = 16;
// The tokens of one round of probes, as a part of the limit. 0.04, 0.08, 0.16:
// clk 91.4, 93.8, 93.9; b60 89.8, 96.2, 96.3; f on b60 0.034, 0.033, 0.044 refusals.
constexpr double kProbed = 0.08;
// Asked again no sooner than this part of a window, where nothing says when.
constexpr int kFinest = 600;
}  // namespace

Meter::Meter(LimitKind kind, Duration window, Duration slack, Window whose)
    : kind_(kind),
      log_(window, slack),
      refused_(window, slack),
      whose_(whose),
      shapes_(window, slack),
      probe_pause_(window / kFirstProbe),
      learned_(kind, window) {}

void Meter::configure(std::optional<std::uint64_t> limit) {
    configured_ = limit;
    set_ceiling();
}

void Meter::set_ceiling() {
    const auto whole = limit();
    ceiling_ = whole ? std::optional(*whole - *whole / kHeadRoom) : std::nullopt;
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

std::optional<std::uint64_t> Meter::top() const {
    auto most = ceiling();
    if (most && foreign_ > 0) {
        *most -= std::min(*most, foreign());
    }
    return most;
}

void Meter::set_doubts(double squares) {
    doubts_ = reserved_ == 0 ? 0 : std::max(0.0, squares);
    margin_ = static_cast<std::uint64_t>(std::sqrt(doubts_));
}

std::uint64_t Meter::end_doubt(std::uint64_t amount, Trial& trial) {
    const std::uint32_t doubt = std::exchange(trial.doubt, 0);
    reserved_ -= amount;
    if (doubt > 0) {
        set_doubts(doubts_ - static_cast<double>(doubt) * doubt);
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
            .held = static_cast<double>(held_ + margin_),
            .used = static_cast<double>(log_.used()),
            .limit = static_cast<double>(top().value_or(0)),
            .doubt = 0};
}

bool Meter::log_allows(std::uint64_t amount) const {
    const auto most = top();
    return !most || (amount <= *most && used() <= *most - amount);
}

bool Meter::allowed(std::uint64_t amount) const {
    const bool by_log = log_allows(amount);
    if (!shaped()) {
        return by_log;
    }
    return (by_log || (goes_beyond() && beyond_out_ < beyond_allowed_)) &&
           shapes_.acceptance(ask(amount)) >= kEnough;
}

/// When the next probe may go, if a shape would take it.
Instant Meter::probe_at() const {
    return probing_ ? last_probe_ + log_.window() / kFinest : next_probe_;
}

/// A probe is worth a refusal only where a shape says clearly that there is none.
bool Meter::may_probe(std::uint64_t amount) const {
    if (!shaped() || now_ < probe_at() || suspects()) {
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
    if (amount > most || held_ + margin_ > most - amount) {
        return Instant::max();
    }
    const std::uint64_t room = most - amount;
    const std::uint64_t total = used();
    return total <= room ? now : std::max(now, log_.frees(total - room));
}

Instant Meter::fits_at(std::uint64_t amount, Instant now) const {
    const auto most = top();
    if (!most) {
        return now;
    }
    Instant at = log_fits_at(amount, *most, now);
    if (shaped()) {
        const WindowShapes::Ask asked = ask(amount);
        const Instant by_log = at;
        at = std::max(now, shapes_.accepted_at(asked, kEnough, by_log));
        if (!goes_beyond() || beyond_out_ >= beyond_allowed_) {
            at = std::max(at, by_log);  // or when one of those is answered
        }
        if (learned() && !suspects()) {
            at = std::min(at, std::max(now, probe_at()));
        } else if (goes_beyond() && !suspects()) {
            const Instant possible = shapes_.possible_at(asked, by_log);
            at = std::min(at, std::max({now, probe_at(), possible}));
        }
    }
    if (at > now && foreign_ > 0) {
        // Room may also come by what others are thought to use fading away.
        const double left = static_cast<double>(ceiling().value_or(0)) -
                            static_cast<double>(used()) - static_cast<double>(amount);
        const double kept = foreign_at(now);
        if (left > 0 && kept > left) {
            const double windows = std::log(kept / left) * kForeignMemory;
            at = std::min(at, now + from_seconds(windows * to_seconds(log_.window())));
        }
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
    const std::uint64_t freed = log_.freed_by(log_.frees(missing));
    return std::min(room, freed - std::min(freed, missing));
}

Instant Meter::turn_at(double need, double settling, double service_seconds, Instant now) const {
    const auto most = top();
    if (!most) {
        return now;
    }
    const double ceiling = std::max<double>(1, static_cast<double>(*most));
    const double window = to_seconds(log_.window());
    if (shaped() && shapes_.likeliest() != WindowShapes::sliding) {
        const double missing = shapes_.debt() + static_cast<double>(held_) + need - ceiling;
        Instant at = now;
        if (missing > 0) {
            at += from_seconds(settling >= missing
                                   ? service_seconds * missing / settling
                                   : std::min((missing - settling) / ceiling, 1e6) * window);
        }
        return std::max(at, shapes_.turns_at(ask(static_cast<std::uint64_t>(need))));
    }
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
    Instant at = log_.frees(static_cast<std::uint64_t>(last));
    if (at == Instant::max() || at == Instant::min()) {
        at = now;
    }
    const double windows = std::min(rounds, 1e6) * window;
    return std::max(at, now) + from_seconds(std::min(windows, 1e9));
}

void Meter::hold(std::uint64_t amount, Trial& trial) {
    if (!allowed(amount)) {
        trial.probe = true;
        probed_ = probing_ ? probed_ + amount : amount;
        last_probe_ = now_;
        // Together they must go further than what is too close to call.
        probing_ = learned() || static_cast<double>(probed_) < kProbed * full_limit();
        next_probe_ = now_ + probe_pause_;
    } else if (!log_allows(amount)) {
        trial.beyond = true;
        ++beyond_out_;
    }
    held_ += amount - trial.doubt;
    reserved_ += amount;
    if (trial.doubt > 0) {
        set_doubts(doubts_ + static_cast<double>(trial.doubt) * trial.doubt);
    }
}

void Meter::release(std::uint64_t amount, Trial& trial) {
    held_ -= end_doubt(amount, trial);
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
