// How often and how soon a failed attempt may be repeated.
#pragma once

#include <weir/config.h>
#include <weir/time.h>

#include <cstdint>

#include "policy/random.h"

namespace weir::policy {

/// Retries of one target as a share of its recent sends, plus one a second: an outage must not be
/// answered with a multiple of the load that caused it.
///
/// Invariant: over any stretch of T seconds with S sends at most cap + share * S + T retries start.
class RetryBudget {
public:
    explicit RetryBudget(double share) : share_(share) {}

    void configure(double share) { share_ = share; }
    void note_send(Instant now);
    bool spend(Instant now);

private:
    void refill(Instant now);

    double share_;
    double tokens_ = 10;
    double recent_sends_ = 0;  // decays with a time constant of a minute
    Instant refilled_{};
    bool started_ = false;
};

/// The wait before repeat number `repeat` (0 for the first): full jitter, or, with Jitter::none,
/// the plain doubling plus up to a tenth, as the AWS article has it.
Duration backoff(const RetryConfig& config, std::uint32_t repeat, Random& random);

}  // namespace weir::policy
