// What a meter learns from answers: the shape of the window, foreign use, an unknown limit. Values
// that were tried: docs/tuning.md.
#include <algorithm>
#include <cmath>

#include "policy/meter.h"
#include "policy/meter_constants.h"

namespace weir::policy {

namespace {
// An accepted probe is news if shapes of this weight predicted a refusal.
constexpr double kContradicted = 0.05;
// A refusal that shapes of this weight did not predict means foreign use, not another shape.
constexpr double kUnexplained = 0.98;
constexpr double kLeastForeign = 0.055;
constexpr double kMostForeign = 0.95;
// A refusal below this part of the limit is not explained by foreign use.
constexpr double kFar = 0.25;
// Foreign use below this part of the limit does not count as suspected.
constexpr double kNoise = 0.02;
// A shape that predicted an answer wrongly keeps this part of its weight.
constexpr double kWrong = 0.02;
// The same for a shape that had room for a refused call while foreign use is suspected, because
// that use may be larger than estimated.
constexpr double kWrongSuspected = 0.3;
}  // namespace

double Meter::foreign_at(Instant at) const {
    if (foreign_.tokens <= 0) {
        return 0;
    }
    const double windows = to_seconds(at - foreign_.since) / to_seconds(log_.window());
    return foreign_.tokens * std::exp(-windows / kForeignMemory);
}

std::uint64_t Meter::foreign() const {
    return static_cast<std::uint64_t>(foreign_at(now_));
}

bool Meter::suspects() const {
    return foreign_at(now_) > kNoise * static_cast<double>(limit().value_or(0));
}

void Meter::stamp(std::uint64_t amount, Instant now, Trial& trial) {
    const std::uint64_t expected = amount - trial.doubt;
    under_way_.expected -= expected;
    if (mirrored()) {
        const std::uint64_t gone = log_.ending(now) + refused_.used();
        trial.reach = log_.used() - std::min(log_.used(), gone) + expected + surely_by_others(now);
        shapes_.advance(now, refill());
    }
    if (by_mirrors()) {
        trial.suspected = suspects();
        trial.refusals = refusals_;
        const auto doubt = static_cast<double>(under_way_.margin);
        // Inputs may be less than expected by as much as more, and the service may have settled a
        // call whose answer is on its way: neither makes an acceptance news.
        WindowShapes::Ask asked{.amount = static_cast<double>(expected),
                                .held = doubt,
                                .used = static_cast<double>(log_.used()),
                                .limit = full_limit(),
                                .ending = static_cast<double>(log_.ending(now)),
                                .doubt = 2 * doubt + returned_};
        trial.forecast = shapes_.forecast(asked);
        if (trial.suspected) {
            // Our own use alone foretells a refusal; an acceptance is foretold only beside others'.
            asked.limit -= foreign_at(now);
            trial.forecast.accepts = shapes_.forecast(asked).accepts;
        }
    }
    if (mirrored()) {
        shapes_.charge(now, static_cast<double>(expected));
    }
    log_.add(now, expected);
}

bool Meter::answered(Trial& trial, Answer answer, std::uint64_t amount, Instant now) {
    const bool beyond = trial.beyond;
    const bool probe = trial.probe;
    const bool foretold = by_shapes(trial);
    const bool freed = probe || beyond;
    if (beyond) {
        trial.beyond = false;
        --beyond_.out;
        if (answer == Answer::accepted) {
            beyond_.allowed = std::min(beyond_.allowed + 1, kMostBeyond);
        } else if (answer == Answer::refused) {
            beyond_.allowed = std::max(beyond_.allowed / 2, 1U);
        }
    }
    if (trial.probe) {
        trial.probe = false;
        if (answer == Answer::refused) {
            probes_.going_on = false;
            probes_.pause = std::min<Duration>(probes_.pause * 2, log_.window() * kLastProbe);
            probes_.next = now + probes_.pause;
        } else if (answer == Answer::accepted &&
                   shapes_.weight_of(trial.forecast.refuses) >= kContradicted) {
            probes_.pause = log_.window() / kFirstProbe;
        }
    }
    if (mirrored() && answer == Answer::accepted) {
        learn_accepted(trial, amount, now);
    }
    if (!shaped() || answer == Answer::none || answer == Answer::shed) {
        return freed;
    }
    const bool accepted = answer == Answer::accepted;
    const bool explained = !accepted && foretold;
    // What was on its way when another was refused met the same moment, and says the same.
    const bool news = accepted || trial.refusals == refusals_;
    refusals_ += accepted ? 0 : 1;
    if (news && (accepted || explained || trial.suspected)) {
        shapes_.learn(trial.forecast, accepted,
                      trial.suspected && !accepted ? kWrongSuspected : kWrong, probe);
    }
    if (explained) {
        shapes_.refused(static_cast<double>(amount));
    }
    if (!accepted && !explained) {
        // The least that others must have used for the call to have been held back.
        const double limit = full_limit();
        WindowShapes::Ask asked = ask(amount);
        asked.limit = limit;
        const double by_log = limit - asked.held - asked.used - asked.amount;
        const double by_mirrors = shapes_.overlooked(asked, 1 - kEnough);
        const double others = beyond ? by_mirrors : std::min(by_log, by_mirrors);
        foreign_.tokens = std::clamp(std::max(foreign_at(now), others + kLeastForeign * limit),
                                     kLeastForeign * limit, kMostForeign * limit);
        foreign_.since = now;
    }
    trial.forecast = {};
    return freed;
}

bool Meter::by_shapes(const Trial& trial) const {
    if (shared_ != nullptr) {
        return trial.probe;  // the log had no room for it
    }
    return !trial.suspected && shapes_.weight_of(trial.forecast.accepts) < kUnexplained;
}

bool Meter::explained(const Trial& trial, std::uint64_t amount) const {
    return shaped() && (by_shapes(trial) || used() + amount > *ceiling_);
}

bool Meter::far_from_limit(const Trial& trial, std::uint64_t amount) const {
    const auto most = limit();
    return !most || (!(shaped() && by_shapes(trial)) &&
                     static_cast<double>(used() + amount) < kFar * static_cast<double>(*most));
}

void Meter::remember_foreign() {
    foreign_before_ = foreign_;
}

void Meter::not_foreign() {
    foreign_ = foreign_before_;
}

void Meter::learn_accepted(const Trial& trial, std::uint64_t amount, Instant now) {
    learned_.accepted(trial.reach, amount, now);
    if (!configured_) {
        set_ceiling();
    }
}

BookExchange::Learned Meter::lesson() {
    const LearnedLimit::News news = learned_.take_news();
    if (configured_) {
        return {};
    }
    return {.limit = static_cast<std::int64_t>(learned_.limit().value_or(0)),
            .peak = static_cast<std::int64_t>(news.peak),
            .refused = news.refused,
            .probes = learned() && !suspects()};
}

void Meter::adopt(const SharedQuota::Learned& told) {
    if (configured_) {
        return;
    }
    learned_.hear_peak(static_cast<std::uint64_t>(told.peak));
    if (told.limit > 0) {
        learned_.adopt(static_cast<std::uint64_t>(told.limit), told.confirmed);
    } else if (told.forgotten) {
        learned_.forget();
    }
    set_ceiling();
}

void Meter::refused(std::uint64_t amount, std::uint64_t reach, bool still_logged, bool news,
                    Instant now) {
    if (still_logged) {
        refused_.add(now, amount);
    }
    learned_.refused(reach, news, now);
    if (!configured_) {
        set_ceiling();
    }
}

}  // namespace weir::policy
