#include "policy/window_shapes.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "policy/floor_div.h"

namespace weir::policy {

namespace {

// Values that were tried: docs/tuning.md.

// A bucket of a sixth is the only shape that refuses what the sliding log allows. Its prior is
// small, so that it holds no call back before the service has refused one.
constexpr double kSlidingPrior = 0.35;
constexpr double kBucketPrior = 0.2;
constexpr double kShortBucketPrior = 0.05;
constexpr double kClockPrior = 0.4;

constexpr double kRight = 0.999;
// Of a shape that could not tell, when a probe that others had foretold is accepted:
// docs/tuning.md.
constexpr double kSilent = 0.9;
constexpr double kFloor = 1e-4;
// An attempt within this part of the limit is no evidence: estimates and network are not that
// exact.
constexpr double kTooClose = 0.03;
constexpr double kShortPart = 1.0 / 6;
// The part of the quota by which spending may be ahead of a clock minute's even pace. A smaller
// part serves light clients sooner and, in an overload, fewer tokens.
constexpr double kPacePart = 0.5;
// Clock phases decide alone only if their joint weight is at least this.
constexpr double kDecides = 0.9;
constexpr double kLongest = 1e6;  // windows that anybody waits

}  // namespace

WindowShapes::WindowShapes(Duration window, Duration slack)
    : window_(std::max<Duration>(window, Duration(kPhases))),
      slack_(slack),
      width_(window_ / kPhases) {
    weights_.fill(kClockPrior / kPhases);
    weights_[sliding] = kSlidingPrior;
    weights_[bucket] = kBucketPrior;
    weights_[short_bucket] = kShortBucketPrior;
    clock_weight_ = kClockPrior;
}

std::int64_t WindowShapes::slot_of(Instant at) const {
    return floor_div(at.time_since_epoch().count(), width_.count());
}

void WindowShapes::advance(Instant now, double limit) {
    if (now_ == Instant::min()) {
        now_ = now;
        enter_slot(slot_of(now));
    }
    if (now > now_) {
        const double refill = limit * to_seconds(now - now_) / to_seconds(window_);
        for (double& debt : debts_) {
            debt = std::max(0.0, debt - refill);
        }
        const std::int64_t next = now < slot_end_ ? current_ : slot_of(now);
        // Slot current_ + 1 may hold charges already, stamped with the slack.
        for (std::int64_t s = current_ + 2; s <= next + 1 && s < current_ + 2 + 16; ++s) {
            slot(s) = 0;
        }
        if (current_ != next) {
            enter_slot(next);
            sum_up();
        }
        now_ = now;
    }
    limit_ = limit;
}

std::int64_t WindowShapes::charged_in(Instant at) const {
    const Instant counted = at + slack_;
    if (counted >= slot_end_) {
        return current_ + 1;
    }
    return counted >= slot_end_ - width_ ? current_ : slot_of(counted);
}

void WindowShapes::charge(Instant at, double amount) {
    add(charged_in(at), amount);
    for (double& debt : debts_) {
        debt += amount;
    }
}

void WindowShapes::refund(Instant stamped, double amount) {
    const std::int64_t index = charged_in(stamped);
    if (index >= current_ - static_cast<std::int64_t>(kPhases)) {
        add(index, -std::min(slot(index), amount));
    }
    for (double& debt : debts_) {
        debt = std::max(0.0, debt - amount);
    }
}

void WindowShapes::refused(double amount) {
    // There was less than `amount` in it: half of it, for all that is known.
    debts_[0] = std::max(debts_[0], limit_ - amount / 2);
    debts_[1] = std::max(debts_[1], limit_ * kShortPart - amount / 2);
}

void WindowShapes::add(std::int64_t index, double amount) {
    slot(index) += amount;
    for (auto age = static_cast<std::size_t>(current_ + 1 - index); age < kSlots; ++age) {
        since_[age] += amount;
    }
}

void WindowShapes::sum_up() {
    double sum = 0;
    for (std::int64_t age = 0; age < static_cast<std::int64_t>(kSlots); ++age) {
        sum += age <= static_cast<std::int64_t>(kPhases) + 1 ? slot(current_ + 1 - age) : 0;
        since_[static_cast<std::size_t>(age)] = sum;
    }
}

void WindowShapes::merge(const WindowShapes& other, bool kin) {
    const auto join = [kin](double& ours, double theirs) {
        ours = kin ? std::max(ours, theirs) : ours + theirs;
    };
    for (std::size_t i = 0; i < kSlots; ++i) {
        join(slots_[i], other.slots_[i]);
    }
    for (std::size_t i = 0; i < debts_.size(); ++i) {
        join(debts_[i], other.debts_[i]);
    }
    sum_up();
}

void WindowShapes::enter_slot(std::int64_t index) {
    constexpr auto kAll = static_cast<std::int64_t>(kPhases);
    current_ = index;
    slot_end_ = Instant(width_ * (index + 1));
    phase_ = static_cast<std::size_t>((index % kAll + kAll) % kAll);
}

std::int64_t WindowShapes::turn_slot(std::size_t phase) const {
    return current_ - static_cast<std::int64_t>(phase_ - phase + (phase_ < phase ? kPhases : 0));
}

double WindowShapes::room(std::size_t shape, const Ask& ask) const {
    const double limit = ask.limit - ask.held;
    switch (shape) {
        case sliding:
            return limit - ask.used;
        case bucket:
            return limit - debts_[0];
        case short_bucket:
            return ask.limit * kShortPart - ask.held - debts_[1];
        default: {
            const std::int64_t turn = turn_slot(shape - clock);
            // In the slot of its turn it may not have turned yet.
            return limit - since(turn == current_ ? turn - 12 : turn);
        }
    }
}

double WindowShapes::overlooked(const Ask& ask, double weight) const {
    std::array<std::pair<double, double>, kShapes> shapes;
    for (std::size_t s = 0; s < kShapes; ++s) {
        const double spare = room(s, ask) - ask.amount;
        shapes[s] = {s == short_bucket ? spare / kShortPart : spare, weights_[s]};
    }
    std::ranges::sort(shapes);
    double sum = 0;
    for (const auto& [others, share] : shapes) {
        sum += share;
        if (sum > weight) {
            return others;
        }
    }
    return shapes.back().first;
}

/// A clock's minute could be spent in its first seconds, and whoever came later would wait for the
/// next. Spent at the pace of a bucket it serves as much, and everybody sooner.
Instant WindowShapes::paced_at(const Ask& ask) const {
    if (clock_weight_ < kDecides) {
        return now_;
    }
    const double size = ask.limit * kPacePart;
    const double missing = debts_[2] + ask.held + std::min(ask.amount, size) - size;
    if (missing <= 0 || limit_ <= 0) {
        return now_;
    }
    return now_ + from_seconds(missing / limit_ * to_seconds(window_)) + Duration(1);
}

bool WindowShapes::room_for_all(const Ask& ask, double margin) const {
    // No clock's minute holds more than all slots do.
    const double most = std::max({ask.used, since_.back(), debts_[0], debts_[1], debts_[2]});
    return most + ask.held + ask.amount <= ask.limit * kShortPart - margin;
}

double WindowShapes::acceptance(const Ask& ask) const {
    if (room_for_all(ask, 0)) {
        return 1;
    }
    double weight = 0;
    for (const std::size_t s : {sliding, bucket, short_bucket}) {
        weight += fits(s, ask) ? weights_[s] : 0;
    }
    if (paced_at(ask) > now_) {
        return weight;
    }
    if (fits(clock + phase_, ask)) {  // of all phases this one looks back the farthest
        return weight + clock_weight_;
    }
    for (std::size_t s = clock; s < kShapes; ++s) {
        weight += fits(s, ask) ? weights_[s] : 0;
    }
    return weight;
}

Instant WindowShapes::fits_at(std::size_t shape, const Ask& ask, Instant sliding_at) const {
    if (shape == sliding) {
        return sliding_at;
    }
    if (fits(shape, ask)) {
        return now_;
    }
    const double more = ask.amount + ask.held;
    if (shape == bucket || shape == short_bucket) {
        const double size = shape == bucket ? ask.limit : ask.limit * kShortPart;
        if (more > size || limit_ <= 0) {
            return Instant::max();
        }
        const double missing = debts_[shape - bucket] + more - size;
        return now_ + from_seconds(missing / limit_ * to_seconds(window_)) + Duration(1);
    }
    if (more > ask.limit) {
        return Instant::max();
    }
    const std::int64_t turn = turn_slot(shape - clock);
    const auto start = [this](std::int64_t index) { return Instant(width_ * index); };
    if (turn == current_) {
        return since(turn) + more <= ask.limit ? start(turn + 1) : start(turn + 13);
    }
    return start(turn + 13);
}

Instant WindowShapes::accepted_at(const Ask& ask, double weight, Instant sliding_at) const {
    std::array<std::pair<Instant, double>, kShapes> turns;
    const Instant paced = paced_at(ask);
    for (std::size_t s = 0; s < kShapes; ++s) {
        const Instant at = fits_at(s, ask, sliding_at);
        turns[s] = {s < clock ? at : std::max(at, paced), weights_[s]};
    }
    std::ranges::sort(turns);
    double sum = 0;
    for (const auto& [at, share] : turns) {
        sum += share;
        if (sum >= weight) {
            return at;
        }
    }
    return Instant::max();
}

/// When a bucket has refilled by `missing`, with the help of what calls under way give back.
Instant WindowShapes::when_refilled(double missing, const Backlog& backlog) const {
    if (missing <= 0) {
        return now_;
    }
    if (backlog.settling >= missing) {
        return now_ + from_seconds(backlog.service_seconds * missing / backlog.settling);
    }
    const double windows = (missing - backlog.settling) / std::max(backlog.limit, 1.0);
    return now_ + from_seconds(std::min(windows, kLongest) * to_seconds(window_));
}

Instant WindowShapes::turn_at(const Backlog& backlog, Instant sliding_at) const {
    const double need = backlog.amount + backlog.held;
    switch (likeliest_) {
        case sliding:
            return sliding_at;
        case bucket:
            return when_refilled(debts_[0] + need - backlog.limit, backlog);
        case short_bucket:
            return when_refilled(debts_[1] + need - backlog.limit * kShortPart, backlog);
        default:
            break;
    }
    const Instant paced = when_refilled(debts_[2] + need - backlog.limit, backlog);
    const std::int64_t turn = turn_slot(likeliest_ - clock);
    const double room = backlog.limit - since(turn == current_ ? turn - 12 : turn);
    const double rest = need - backlog.settling - room;
    if (rest <= 0) {
        return paced;
    }
    const Instant next(width_ * (turn == current_ ? turn + 1 : turn + 13));
    const double minutes = std::floor(rest / std::max(backlog.limit, 1.0));
    return std::max(paced, next + from_seconds(std::min(minutes, kLongest) * to_seconds(window_)));
}

Instant WindowShapes::possible_at(const Ask& ask, Instant sliding_at) const {
    Instant first = Instant::max();
    for (std::size_t s = 0; s < kShapes; ++s) {
        first = std::min(first, fits_at(s, ask, sliding_at));
    }
    return first;
}

WindowShapes::Forecast WindowShapes::forecast(const Ask& ask) const {
    Forecast told;
    if (room_for_all(ask, kTooClose * ask.limit)) {
        told.accepts = (1U << kShapes) - 1;
        return told;
    }
    const double more = ask.amount + ask.held;
    const auto tell = [&](std::size_t shape, double least, double most, double limit) {
        const auto bit = static_cast<std::uint16_t>(1U << shape);
        if (most + more <= limit - kTooClose * ask.limit) {
            told.accepts |= bit;
        } else if (least + more - ask.doubt > limit + kTooClose * ask.limit) {
            told.refuses |= bit;
        }
    };
    tell(sliding, ask.used - ask.ending, ask.used, ask.limit);
    tell(bucket, debts_[0], debts_[0], ask.limit);
    tell(short_bucket, debts_[1], debts_[1], ask.limit * kShortPart);
    for (std::size_t phase = 0; phase < kPhases; ++phase) {
        const std::int64_t turn = turn_slot(phase);
        if (turn == current_) {
            tell(clock + phase, 0, since(turn - 12), ask.limit);
        } else {
            tell(clock + phase, since(turn + 1), since(turn), ask.limit);
        }
    }
    return told;
}

void WindowShapes::learn(const Forecast& forecast, bool accepted, double wrong_part, bool probe) {
    const std::uint16_t right = accepted ? forecast.accepts : forecast.refuses;
    const std::uint16_t wrong = accepted ? forecast.refuses : forecast.accepts;
    // A probe goes out because shapes that could not tell would have held it back. In a steady load
    // at the limit's pace a clock's minute never tells: nothing else would rule it out.
    const bool doubted = probe && accepted && wrong == 0 && forecast.accepts != 0;
    if (wrong == 0 && !doubted) {
        return;
    }
    std::array<double, kShapes> weights = weights_;
    for (std::size_t s = 0; s < kShapes; ++s) {
        const auto bit = static_cast<std::uint16_t>(1U << s);
        if ((wrong & bit) != 0) {
            weights[s] *= wrong_part;
        } else if ((right & bit) != 0) {
            weights[s] *= kRight;
        } else if (doubted) {
            weights[s] *= kSilent;
        }
    }
    set_weights(weights);
}

void WindowShapes::set_weights(const std::array<double, kShapes>& weights) {
    double sum = 0;
    for (std::size_t s = 0; s < kShapes; ++s) {
        weights_[s] = std::max(weights[s], kFloor);
        sum += weights_[s];
    }
    for (double& weight : weights_) {
        weight /= sum;
    }
    clock_weight_ = std::accumulate(weights_.begin() + clock, weights_.end(), 0.0);
    likeliest_ = static_cast<Shape>(std::ranges::max_element(weights_) - weights_.begin());
}

double WindowShapes::weight_of(std::uint16_t shapes) const {
    if (shapes == 0) {
        return 0;
    }
    double sum = 0;
    for (std::size_t s = 0; s < kShapes; ++s) {
        sum += (shapes >> s & 1U) != 0 ? weights_[s] : 0;
    }
    return sum;
}

}  // namespace weir::policy
