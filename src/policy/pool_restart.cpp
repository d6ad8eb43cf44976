// What a quota pool and its meters leave to the next process, and what they make of a past that
// they do not know.
#include <algorithm>

#include "policy/meter_constants.h"
#include "policy/quota_pool.h"

namespace weir::policy {

namespace {
// So many pieces stand for an even use over a window.
constexpr int kPieces = 60;
// A bucket of the log is this part of a window.
constexpr int kPieceParts = 600;
// A use that the window had set free since the start at this part of an even pace, or less, is not
// what was refused for the sake of the past.
constexpr double kEvenly = 0.9;
// What was used before did not come quite evenly: so much more of the limit is taken to be used.
constexpr std::uint64_t kUneven = 20;
// Without a limit nobody knows what is a high use: refusals of the first third of the window only.
constexpr int kEarly = 3;
}  // namespace

EngineState::Pool QuotaPool::remember(const std::vector<Meter::Returning>& returning,
                                      Instant now) const {
    EngineState::Pool pool;
    pool.throttled = spell_.active();
    pool.meters.push_back(meters_[0].remember({}, now));
    pool.meters.push_back(meters_[1].remember(returning, now));
    pool.meters.push_back(meters_[2].remember(returning, now));
    if (output_) {
        pool.meters.push_back(output_->remember({}, now));
    }
    return pool;
}

void QuotaPool::recall(const EngineState::Pool& past, Duration age, Duration unrecorded,
                       Instant now) {
    QuotaPool before(window(), meters_[0].whose(),
                     {.requests = meters_[0].limit(),
                      .tokens = meters_[1].learned() ? std::nullopt : meters_[1].limit(),
                      .daily_tokens = meters_[2].limit(),
                      .apart = apart(),
                      .output_tokens = output_ ? output_->limit() : std::nullopt});
    before.tick(now);
    for (const EngineState::Meter& meter : past.meters) {
        for (Meter& own : before.meters_) {
            if (own.kind() == meter.kind) {
                own.recall(meter, age, unrecorded, now);
            }
        }
        if (before.output_ && meter.kind == LimitKind::output_tokens) {
            before.output_->recall(meter, age, unrecorded, now);
        }
    }
    inherit(before, now);
    if (past.throttled) {
        spell_.expect();
    }
}

void QuotaPool::doubt_past(Instant start, Instant now) {
    const Instant until = start + window() + slack_for(window());
    past_.begin(start, until);
    for (Meter& meter : meters_) {
        meter.put_off_probes(until);
    }
    past_.tick(now);
}

/// A refusal that our own use does not explain, and that a quota spent before the start would. A
/// window that was used evenly sets as much free as calls take at the pace that was kept before:
/// what is refused far below that has met something else.
bool QuotaPool::blames_past(const Meter& meter, std::uint64_t amount, Instant now) const {
    if (!past_.active() || now >= past_.until() || spell_.probing()) {
        return false;
    }
    if (past_.spent()) {
        return true;
    }
    const auto most = meter.ceiling();
    if (most && meter.used() + amount > *most) {
        return false;
    }
    const Duration since = now - past_.start();
    if (!most) {
        return since < window() / kEarly;
    }
    const double freed = static_cast<double>(*most) * to_seconds(since) / to_seconds(window());
    return static_cast<double>(meter.used() + amount) >= kEvenly * freed;
}

Instant QuotaPool::refused_by_past(Meter& meter, Meter::Trial& trial, bool by_requests,
                                   Reservation& reservation, std::optional<Duration> retry_after,
                                   Random& random, Instant now) {
    const std::uint64_t asked = by_requests ? 1 : reservation.tokens;
    const Amount amount(reservation.tokens, reservation.output);
    meter.answered(trial, Meter::Answer::shed, asked, now);
    meter.refused(asked, trial.reach, by_requests, false, now);
    meter.spent_before(past_.start(), past_.until(), now);
    past_.refused(reservation.past, meter.limit().has_value(), now);
    if (retry_after) {
        pause_until_ = std::max(pause_until_, spread(now + pause_told(retry_after), random));
    }
    end(reservation, now);
    reservation.spell = {};
    return fits_at(amount, now);
}

EngineState::Meter Meter::remember(const std::vector<Returning>& returning, Instant now) const {
    EngineState::Meter out;
    out.kind = kind_;
    out.used = log_.by_age(now);
    double comes_back = 0;
    for (const Returning& part : returning) {
        // The pieces are in order, the oldest first; one has the age of its youngest part.
        const auto piece = std::ranges::find_if(out.used, [&](const auto& used) {
            return now - used.age + log_.window() / kPieceParts > part.stamped;
        });
        if (piece != out.used.end()) {
            const std::uint64_t less = std::min(piece->amount, part.amount);
            piece->amount -= less;
            comes_back += static_cast<double>(less);
        }
    }
    if (mirrored()) {
        out.foreign = foreign_at(now);
        shapes_.remember(out);
        for (double& debt : out.debts) {
            debt = std::max(0.0, debt - comes_back);
        }
        out.learned = learned_.remember(now);
        out.returned = returned_;
        out.beyond = beyond_.allowed;
        out.probe_pause = probes_.pause;
        out.probe_in = std::max(Duration::zero(), std::max(probes_.next, now) - now);
    }
    return out;
}

void Meter::recall(const EngineState::Meter& past, Duration age, Duration unrecorded, Instant now) {
    if (mirrored()) {
        learned_.recall(past.learned, age, now);
        set_ceiling();
        tick(now);
        foreign_.tokens = std::max(0.0, past.foreign);
        foreign_.since = now - age;
        shapes_.recall(past, age);
        returned_ = past.returned;
        beyond_.allowed = std::clamp(past.beyond, 1U, kMostBeyond);
        if (past.probe_pause > Duration::zero()) {
            probes_.pause = std::min<Duration>(past.probe_pause, log_.window() * kLastProbe);
            probes_.next =
                now + std::clamp<Duration>(past.probe_in - age, Duration::zero(), probes_.pause);
        }
    }
    const auto add = [&](Instant at, std::uint64_t amount) {
        log_.add(at, amount);
        if (mirrored()) {
            shapes_.recall_charge(at, static_cast<double>(amount));
        }
    };
    double used = 0;
    for (const EngineState::Used& part : past.used) {
        used += static_cast<double>(part.amount);
        if (part.age + age < log_.window()) {
            add(now - part.age - age, part.amount);
        }
    }
    // What was used after it was written is taken to have gone on at the same pace.
    const double windows = to_seconds(unrecorded) / to_seconds(log_.window());
    add(now, static_cast<std::uint64_t>(used * std::min(1.0, windows)));
}

void Meter::spent_before(Instant start, Instant until, Instant now) {
    const Duration left = start + log_.window() - now;
    if (!ceiling_ || left <= Duration::zero()) {
        return;
    }
    log_alone_until_ = until;
    const std::uint64_t full = *ceiling_ + *ceiling_ / kUneven;
    std::uint64_t unknown = full - std::min(full, used());
    for (int piece = 0; piece < kPieces; ++piece) {
        const std::uint64_t part = unknown / static_cast<std::uint64_t>(kPieces - piece);
        log_.add(now - log_.window() + left * piece / kPieces, part);
        unknown -= part;
    }
}

}  // namespace weir::policy
