// What the mirrors of the service's minute leave to the next process.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "policy/window_shapes.h"

namespace weir::policy {

void WindowShapes::remember(EngineState::Meter& out) const {
    static_assert(EngineState::kShapes == kShapes);
    if (now_ == Instant::min()) {
        return;
    }
    for (const std::size_t s : {sliding, bucket, short_bucket}) {
        out.shapes[s] = weights_[s];
    }
    for (std::size_t back = 0; back < kPhases; ++back) {
        out.shapes[clock + back] = weights_[clock + (phase_ + kPhases - back) % kPhases];
    }
    out.slot_age = now_ - Instant(width_ * current_);
    out.debts = debts_;
}

/// A clock that turned in a twelfth of the old count may turn in either of the two that this one
/// lies in by the new count.
void WindowShapes::recall(const EngineState::Meter& past, Duration age) {
    const double sum = std::accumulate(past.shapes.begin(), past.shapes.end(), 0.0);
    if (sum > 0 && std::isfinite(sum)) {
        std::array<double, kShapes> weights{};
        for (const std::size_t s : {sliding, bucket, short_bucket}) {
            weights[s] = past.shapes[s];
        }
        for (std::size_t back = 0; back < kPhases; ++back) {
            const Instant turn =
                now_ - past.slot_age - age - width_ * static_cast<std::int64_t>(back);
            const std::int64_t index = slot_of(turn);
            const double later = to_seconds(turn - Instant(width_ * index)) / to_seconds(width_);
            const auto phase = [](std::int64_t slot) {
                constexpr auto kAll = static_cast<std::int64_t>(kPhases);
                return static_cast<std::size_t>((slot % kAll + kAll) % kAll);
            };
            weights[clock + phase(index)] += past.shapes[clock + back] * (1 - later);
            weights[clock + phase(index + 1)] += past.shapes[clock + back] * later;
        }
        set_weights(weights);
    }
    const double refill = limit_ * to_seconds(age) / to_seconds(window_);
    for (std::size_t i = 0; i < debts_.size(); ++i) {
        debts_[i] = std::max(0.0, past.debts[i] - refill);
    }
}

void WindowShapes::recall_charge(Instant at, double amount) {
    const std::int64_t index = charged_in(at);
    if (index >= current_ - static_cast<std::int64_t>(kPhases)) {
        add(index, amount);
    }
}

}  // namespace weir::policy
