#include "policy/estimator.h"

#include <algorithm>
#include <cmath>

namespace weir::policy {

namespace {
constexpr std::uint64_t kWarm = 50;
constexpr double kColdOutput = 500;
constexpr std::uint64_t kOutputsKnown = 200;
constexpr double kOutputQuantile = 0.999;
constexpr double kOutputMargin = 1.5;
constexpr std::uint64_t kLeastOutput = 64;

std::uint64_t to_tokens(double value) {
    return static_cast<std::uint64_t>(
        std::ceil(std::clamp(value, 0.0, static_cast<double>(kMostTokens))));
}
}  // namespace

double Estimator::ratio() const {
    return ratio_.samples() >= 5 ? ratio_.value() : 1.0;
}

double Estimator::expected_input(std::uint64_t estimate) const {
    return static_cast<double>(std::min(estimate, kMostTokens)) * ratio();
}

std::uint64_t Estimator::held_input(std::uint64_t estimate) const {
    return to_tokens(expected_input(estimate) * margin_);
}

std::uint64_t Estimator::cheapest_input(std::uint64_t estimate) const {
    return static_cast<std::uint64_t>(expected_input(estimate) / margin_);
}

double Estimator::expected_cost(std::uint64_t estimate, std::uint64_t max_output,
                                std::uint32_t burndown) const {
    const double most = static_cast<double>(std::min(max_output, kMostTokens));
    const bool warm = output_.samples() >= 5;
    const double output = std::min(most, warm ? output_.value() : kColdOutput);
    const double charged = warm ? uncached_.value() : 1.0;
    return expected_input(estimate) * charged + output * burndown;
}

void Estimator::learn_usage(std::uint64_t estimate, const Usage& usage, std::uint64_t settled) {
    const double whole = static_cast<double>(usage.input) + static_cast<double>(usage.cache_read) +
                         static_cast<double>(usage.cache_write);
    if (estimate > 0 && whole > 0) {
        const double r = std::clamp(whole / static_cast<double>(estimate), 1.0 / 16, 16.0);
        ratio_.add(r);
        spread_.add(r / ratio_.value());
        uncached_.add(1 - static_cast<double>(usage.cache_read) / whole);
        if (spread_.samples() >= kWarm && spread_.samples() % 8 == 0) {
            margin_ = std::clamp(spread_.quantile(0.99), 1.02, 3.0);
        }
    }
    output_.add(static_cast<double>(usage.output));
    settled_.add(static_cast<double>(settled));
}

void Estimator::learn_output(OutputKind kind, std::uint64_t output) {
    const auto k = static_cast<std::size_t>(kind);
    if (!outputs_[k]) {
        outputs_[k] = std::make_unique<FadingQuantile>(1);
    }
    FadingQuantile& seen = *outputs_[k];
    seen.add(static_cast<double>(std::min(output, kMostTokens)));
    const bool first = seen.samples() == kOutputsKnown;
    if (first || (seen.samples() > kOutputsKnown && seen.samples() % 16 == 0)) {
        enough_[k] =
            std::max(kLeastOutput, to_tokens(kOutputMargin * seen.quantile(kOutputQuantile)));
    }
}

std::optional<std::uint64_t> Estimator::enough_output(OutputKind kind) const {
    const std::uint64_t enough = enough_[static_cast<std::size_t>(kind)];
    return enough == 0 ? std::nullopt : std::optional(enough);
}

void Estimator::learn_reservation(std::uint64_t reserved, std::uint64_t max_output) {
    reserved_.add(static_cast<double>(reserved));
    max_output_.add(static_cast<double>(max_output));
}

void Estimator::learn_first(Duration since_sent) {
    first_.add(to_seconds(since_sent));
    if (first_.samples() >= 20 && first_.samples() % 8 == 0) {
        slow_first_ = from_seconds(first_.quantile(0.95));
    }
}

void Estimator::learn_complete(Duration since_sent, bool stream) {
    service_.add(to_seconds(since_sent));
    if (stream) {
        return;
    }
    complete_.add(to_seconds(since_sent));
    if (complete_.samples() >= 20 && complete_.samples() % 8 == 0) {
        slow_complete_ = from_seconds(complete_.quantile(0.95));
    }
}

double Estimator::usable_share(Duration window) const {
    const double c = settled_.value();
    if (settled_.samples() == 0 || c <= 0) {
        return 1;
    }
    const double idle = std::max(0.0, reserved_.value() - c) * service_.value();
    const double w = to_seconds(window);
    return w * c / (w * c + idle);
}

}  // namespace weir::policy
