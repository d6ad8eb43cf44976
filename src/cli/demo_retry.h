// How programs retry without weir: the article's loop, and the AWS SDKs. Seconds, uncompressed.
#pragma once

#include "simulator/random.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::cli {

enum class CallError : std::uint8_t { throttled, transient, other };

/// What an SDK makes of an answer. Status 0: the connection failed.
CallError classify_for_sdk(int status, std::string_view error_type);

/// The loop of the AWS article: 5 tries, 1 s doubling to 60 s, up to a tenth added, and
/// ThrottlingException alone is worth another try. `attempt`: the one that has failed, from 1.
std::optional<double> article_delay(int attempt, CallError error, simulator::Random& random);

/// The standard mode of the AWS SDKs since November 2026: 3 attempts, full jitter on 50 ms or, when
/// throttled, 1 s, and a bucket of tokens that retries draw on. One per SDK client.
class SdkRetry {
public:
    /// nullopt: the call fails. `server_hint`: x-amz-retry-after, obeyed within 5 s of our own
    /// delay.
    std::optional<double> delay(int attempt, CallError error, std::optional<double> server_hint,
                                simulator::Random& random);
    /// The call succeeded; `last`: the error before its last retry, if there was one.
    void succeeded(std::optional<CallError> last);
    int tokens() const { return tokens_; }

private:
    int tokens_ = 500;
};

}  // namespace weir::cli
