// When a collector that did not take something is asked again, by the rules of OTLP/HTTP.
#pragma once

#include <weir/split_mix.h>
#include <weir/time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace weir::observe {

/// Whether the same data may be sent again after this status; 0: there was no answer.
constexpr bool otlp_retryable(long status) {
    return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

/// Pauses after failures in a row: as long as the collector says, else doubling and with jitter.
class OtlpRetry {
public:
    static constexpr Duration kFirst = std::chrono::seconds(1);
    static constexpr Duration kLongest = std::chrono::seconds(30);
    static constexpr Duration kLongestTold = std::chrono::minutes(5);
    /// What was not taken for so long is given up.
    static constexpr Duration kGivenUpAfter = std::chrono::minutes(5);

    explicit OtlpRetry(std::uint64_t seed) : random_(seed) {}

    bool due(Instant now) const { return now >= next_; }
    /// Failing since so long that what waits is too old.
    bool hopeless(Instant now) const { return since_ && now - *since_ >= kGivenUpAfter; }
    bool failing() const { return since_.has_value(); }

    void failed(Instant now, std::optional<Duration> told) {
        since_ = since_.value_or(now);
        if (told) {
            next_ = now + std::clamp(*told, Duration::zero(), kLongestTold);
            return;
        }
        pause_ = std::min(pause_ == Duration::zero() ? kFirst : 2 * pause_, kLongest);
        next_ = now + from_seconds(to_seconds(pause_) * (0.5 + random_.uniform() / 2));
    }
    /// It was taken, or will never be.
    void done() {
        since_.reset();
        pause_ = Duration::zero();
        next_ = {};
    }
    /// What was too old has gone; the pauses stay as long as they have become.
    void gave_up() { since_.reset(); }

private:
    SplitMix64 random_;
    std::optional<Instant> since_;
    Duration pause_{};
    Instant next_{};
};

}  // namespace weir::observe
