// How programs retry without weir: the article's loop, and the AWS SDKs. Times in seconds; `dice`
// is drawn by the caller, evenly from [0, 1).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::plan {

enum class CallError : std::uint8_t { throttled, transient, other };

/// What an SDK makes of an answer. Status 0: the connection failed.
CallError classify_for_sdk(int status, std::string_view error_type);

/// The loop of the AWS article: 5 tries, 1 s doubling to 60 s, up to a tenth added, and
/// ThrottlingException alone is worth another try. `attempt`: the one that has failed, from 1.
std::optional<double> article_delay(int attempt, CallError error, double dice);

/// The standard mode of the AWS SDKs since November 2026: 3 attempts, full jitter on 50 ms or, when
/// throttled, 1 s, and a bucket of tokens that retries draw on. One per SDK client.
class SdkRetry {
public:
    /// nullopt: the call fails. `server_hint`: x-amz-retry-after, obeyed within 5 s of our own
    /// delay.
    std::optional<double> delay(int attempt, CallError error, std::optional<double> server_hint,
                                double dice);
    /// The call succeeded; `last`: the error before its last retry, if there was one.
    void succeeded(std::optional<CallError> last);
    int tokens() const { return tokens_; }

private:
    int tokens_ = 500;
};

/// What the SDKs' adaptive mode adds to the standard one: a rate of sending that falls to 0.7 of
/// what was measured when the service throttles and grows again along a cubic. Off until the first
/// throttle. One per SDK client, over all its operations and models. As botocore 1.43.67 does it in
/// retries/{adaptive,throttling,bucket}.py.
class AdaptiveRate {
public:
    /// A call may be sent now; if not, `ready` says when to ask again. Taking is part of asking.
    bool take(double now);
    double ready(double now) const;

    /// An answer came; `throttled`: it was a throttling error.
    void answered(bool throttled, double now);

    bool enabled() const { return enabled_; }
    double rate() const { return fill_rate_; }

private:
    void refill(double now);
    void set_rate(double rate, double now);

    bool enabled_ = false;
    double fill_rate_ = 1;
    double capacity_ = 0;
    double most_ = 1;
    double filled_ = 0;
    double measured_ = 0;  // calls answered a second
    double bucket_ = 0;    // the half second being counted
    double counted_ = 0;
    double rate_at_fail_ = 0;
    double last_fail_ = 0;
};

}  // namespace weir::plan
