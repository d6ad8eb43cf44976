#include "plan/client_retry.h"

#include <algorithm>
#include <cmath>

namespace weir::plan {
namespace {

constexpr int kArticleTries = 5;
constexpr int kSdkTries = 3;
constexpr int kBucket = 500;
constexpr int kTransientCost = 14;
constexpr int kThrottlingCost = 5;
constexpr double kSdkMaxDelay = 20;
constexpr double kHintRoom = 5;

constexpr double kBeta = 0.7;
constexpr double kCubicScale = 0.4;
constexpr double kSmoothing = 0.8;
constexpr double kMeasureFor = 0.5;
constexpr double kLeastRate = 0.5;
constexpr double kMostOverMeasured = 2;

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

std::optional<double> article_delay(int attempt, CallError error, double dice) {
    if (error != CallError::throttled || attempt >= kArticleTries) {
        return std::nullopt;
    }
    const double delay = std::min(std::exp2(attempt - 1), 60.0);
    return delay + dice * 0.1 * delay;
}

std::optional<double> SdkRetry::delay(int attempt, CallError error,
                                      std::optional<double> server_hint, double dice) {
    const int cost = cost_of(error);
    if (error == CallError::other || attempt >= kSdkTries || tokens_ < cost) {
        return std::nullopt;
    }
    tokens_ -= cost;
    const double base = error == CallError::throttled ? 1 : 0.05;
    const double own = dice * std::min(base * std::exp2(attempt - 1), kSdkMaxDelay);
    return server_hint ? std::clamp(*server_hint, own, own + kHintRoom) : own;
}

void SdkRetry::succeeded(std::optional<CallError> last) {
    tokens_ = std::min(kBucket, tokens_ + (last ? cost_of(*last) : 1));
}

void AdaptiveRate::refill(double now) {
    capacity_ = std::min(most_, capacity_ + (now - filled_) * fill_rate_);
    filled_ = now;
}

void AdaptiveRate::set_rate(double rate, double now) {
    refill(now);
    fill_rate_ = std::max(rate, kLeastRate);
    most_ = std::max(rate, 1.0);
    capacity_ = std::min(capacity_, most_);
}

bool AdaptiveRate::take(double now) {
    if (!enabled_) {
        return true;
    }
    refill(now);
    if (capacity_ < 1 - 1e-9) {
        return false;
    }
    capacity_ -= 1;
    return true;
}

double AdaptiveRate::ready(double now) const {
    const double there = capacity_ + (now - filled_) * fill_rate_;
    return now + std::max(0.0, 1 - there) / fill_rate_;
}

void AdaptiveRate::answered(bool throttled, double now) {
    const double bucket = std::floor(now / kMeasureFor) * kMeasureFor;
    ++counted_;
    if (bucket > bucket_) {
        measured_ = counted_ / (bucket - bucket_) * kSmoothing + measured_ * (1 - kSmoothing);
        counted_ = 0;
        bucket_ = bucket;
    }
    double rate = 0;
    if (throttled) {
        rate_at_fail_ = enabled_ ? std::min(measured_, fill_rate_) : measured_;
        last_fail_ = now;
        enabled_ = true;
        rate = rate_at_fail_ * kBeta;
    } else {
        const double flat_at = std::cbrt(rate_at_fail_ * (1 - kBeta) / kCubicScale);
        rate = kCubicScale * std::pow(now - last_fail_ - flat_at, 3) + rate_at_fail_;
    }
    set_rate(std::min(rate, kMostOverMeasured * measured_), now);
}

}  // namespace weir::plan
