#include "policy/retry.h"

#include <algorithm>
#include <cmath>

namespace weir::policy {

namespace {
// Retries, and seconds. Values that were tried: docs/tuning.md.
constexpr double kBurst = 10;
constexpr double kMemorySeconds = 60;
}  // namespace

void RetryBudget::refill(Instant now) {
    if (!started_) {
        started_ = true;
        refilled_ = now;
        return;
    }
    const double passed = to_seconds(now - refilled_);
    if (passed <= 0) {
        return;
    }
    refilled_ = now;
    recent_sends_ *= std::exp(-passed / kMemorySeconds);
    tokens_ = std::min(tokens_ + passed, kBurst + share_ * recent_sends_);
}

void RetryBudget::note_send(Instant now) {
    refill(now);
    recent_sends_ += 1;
    tokens_ = std::min(tokens_ + share_, kBurst + share_ * recent_sends_);
}

bool RetryBudget::spend(Instant now) {
    refill(now);
    if (tokens_ < 1) {
        return false;
    }
    tokens_ -= 1;
    return true;
}

Duration backoff(const RetryConfig& config, std::uint32_t repeat, Random& random) {
    const double base = to_seconds(config.base_delay) * std::exp2(std::min(repeat, 30U));
    const double cap = std::min(base, to_seconds(config.max_delay));
    if (config.jitter == Jitter::none) {
        return from_seconds(cap * (1 + 0.1 * random.uniform()));
    }
    return from_seconds(cap * random.uniform());
}

}  // namespace weir::policy
