#include "cli/demo_retry.h"

#include <algorithm>
#include <cmath>

namespace weir::cli {
namespace {

constexpr int kArticleTries = 5;
constexpr int kSdkTries = 3;
constexpr int kBucket = 500;
constexpr int kTransientCost = 14;
constexpr int kThrottlingCost = 5;
constexpr double kSdkMaxDelay = 20;
constexpr double kHintRoom = 5;

int cost_of(CallError error) {
    return error == CallError::throttled ? kThrottlingCost : kTransientCost;
}

}  // namespace

CallError classify_for_sdk(int status, std::string_view error_type) {
    if (error_type == "ThrottlingException") {
        return CallError::throttled;
    }
    if (status == 0 || status == 500 || status == 502 || status == 503 || status == 504) {
        return CallError::transient;
    }
    return CallError::other;
}

std::optional<double> article_delay(int attempt, CallError error, simulator::Random& random) {
    if (error != CallError::throttled || attempt >= kArticleTries) {
        return std::nullopt;
    }
    const double delay = std::min(std::exp2(attempt - 1), 60.0);
    return delay + random.uniform() * 0.1 * delay;
}

std::optional<double> SdkRetry::delay(int attempt, CallError error,
                                      std::optional<double> server_hint,
                                      simulator::Random& random) {
    const int cost = cost_of(error);
    if (error == CallError::other || attempt >= kSdkTries || tokens_ < cost) {
        return std::nullopt;
    }
    tokens_ -= cost;
    const double base = error == CallError::throttled ? 1 : 0.05;
    const double own = random.uniform() * std::min(base * std::exp2(attempt - 1), kSdkMaxDelay);
    return server_hint ? std::clamp(*server_hint, own, own + kHintRoom) : own;
}

void SdkRetry::succeeded(std::optional<CallError> last) {
    tokens_ = std::min(kBucket, tokens_ + (last ? cost_of(*last) : 1));
}

}  // namespace weir::cli
