// What a meter learns of answers: about the shape of the minute, use by others, an unknown limit.
#include <algorithm>
#include <cmath>

#include "policy/meter.h"
#include "policy/meter_constants.h"

namespace weir::policy {

namespace {
constexpr int kLastProbe = 2;
// A probe's acceptance is news if shapes of this weight had foretold a refusal. 0.005 to 0.3: the
// same.
constexpr double kContradicted = 0.05;
constexpr std::uint32_t kMostBeyond = 1U << 20;
// A refusal of what shapes of this weight would have accepted is not about the window: others use
// the quota. 0.9, 0.98, 0.995: b10 94.6, 94.9, 94.9; f on b60 0.023, 0.035, 0.035.
constexpr double kUnexplained = 0.98;
constexpr double kLeastForeign = 0.055;
constexpr double kMostForeign = 0.95;
// Refused below this part of the limit: others would have to use more than the rest.
constexpr double kFar = 0.25;
// Less than this part of the limit is no suspicion. f, 0.005 to 0.04: no difference.
constexpr double kNoise = 0.02;
// What is left of the weight of a shape that foretold an answer wrongly. 0.005 to 0.1: c, clk, b60,
// b10, moon the same within 0.1; 0.3: clk 93.7 instead of 93.9.
constexpr double kWrong = 0.02;
// Likewise of a shape that had room for a refused call beside others' use: they may have used more
// than was thought. Measured before margins were kept apart from the log: f on b60, 1, 0.7, 0.5,
// 0.3, 0.02: 0.074, 0.028, 0.026, 0.025, 0.024 refusals; others at half the quota, load 0.5,
// sliding: 0.3 gives 0.076, 0.02 gives 0.108.
constexpr double kWrongSuspected = 0.3;
}  // namespace

double Meter::foreign_at(Instant at) const {
    if (foreign_ <= 0) {
        return 0;
    }
    const double windows = to_seconds(at - foreign_since_) / to_seconds(log_.window());
    return foreign_ * std::exp(-windows / kForeignMemory);
}

std::uint64_t Meter::foreign() const {
    return static_cast<std::uint64_t>(foreign_at(now_));
}

bool Meter::suspects() const {
    return foreign_at(now_) > kNoise * static_cast<double>(limit().value_or(0));
}

void Meter::stamp(std::uint64_t amount, Instant now, Trial& trial) {
    const std::uint64_t expected = amount - trial.doubt;
    held_ -= expected;
    if (mirrored()) {
        const std::uint64_t gone = log_.ending(now) + refused_.used();
        trial.reach = log_.used() - std::min(log_.used(), gone) + expected;
        shapes_.advance(now, refill());
    }
    if (shaped()) {
        trial.suspected = suspects();
        trial.refusals = refusals_;
        const auto doubt = static_cast<double>(margin_);
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
    const bool freed = trial.probe || beyond;
    if (beyond) {
        trial.beyond = false;
        --beyond_out_;
        if (answer == Answer::accepted) {
            beyond_allowed_ = std::min(beyond_allowed_ + 1, kMostBeyond);
        } else if (answer == Answer::refused) {
            beyond_allowed_ = std::max(beyond_allowed_ / 2, 1U);
        }
    }
    if (trial.probe) {
        trial.probe = false;
        if (answer == Answer::refused) {
            probing_ = false;
            probe_pause_ = std::min<Duration>(probe_pause_ * 2, log_.window() * kLastProbe);
            next_probe_ = now + probe_pause_;
        } else if (answer == Answer::accepted &&
                   shapes_.weight_of(trial.forecast.refuses) >= kContradicted) {
            probe_pause_ = log_.window() / kFirstProbe;
        }
    }
    if (mirrored() && answer == Answer::accepted) {
        learn_accepted(trial, amount, now);
    }
    if (!shaped() || answer == Answer::none || answer == Answer::shed) {
        return freed;
    }
    const bool accepted = answer == Answer::accepted;
    const bool explained = !accepted && by_shapes(trial);
    // What was on its way when another was refused met the same moment, and says the same.
    const bool news = accepted || trial.refusals == refusals_;
    refusals_ += accepted ? 0 : 1;
    if (news && (accepted || explained || trial.suspected)) {
        shapes_.learn(trial.forecast, accepted,
                      trial.suspected && !accepted ? kWrongSuspected : kWrong);
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
        foreign_ = std::clamp(std::max(foreign_at(now), others + kLeastForeign * limit),
                              kLeastForeign * limit, kMostForeign * limit);
        foreign_since_ = now;
    }
    trial.forecast = {};
    return freed;
}

bool Meter::by_shapes(const Trial& trial) const {
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
    before_since_ = foreign_since_;
}

void Meter::not_foreign() {
    foreign_ = foreign_before_;
    foreign_since_ = before_since_;
}

void Meter::learn_accepted(const Trial& trial, std::uint64_t amount, Instant now) {
    learned_.accepted(trial.reach, amount, now);
    if (!configured_) {
        set_ceiling();
    }
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
