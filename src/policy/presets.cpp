// What the word `article` stands for: the numbers of AWS's guide to Bedrock throttling, for those
// who want to see weir behave by them.

#include <weir/config.h>

namespace weir {

using std::chrono::seconds;

// Five sends with 1, 2, 4, 8 s between them (the cap of 60 s is never reached) plus 0-10 %. That
// addition has no name in Jitter: whoever computes a delay sees `preset` and adds it.
RetryConfig resolved(const RetryConfig& retry) {
    RetryConfig result = retry;
    if (retry.preset == Preset::article) {
        result.max_attempts = 5;
        result.base_delay = seconds(1);
        result.max_delay = seconds(60);
        result.jitter = Jitter::none;
    }
    return result;
}

// Five failures in a row, then shut off for a minute; the minute does not grow.
BreakerConfig resolved(const BreakerConfig& breaker) {
    BreakerConfig result = breaker;
    if (breaker.preset == Preset::article) {
        result.failures = 5;
        result.open_for = seconds(60);
        result.max_open = seconds(60);
    }
    return result;
}

}  // namespace weir
