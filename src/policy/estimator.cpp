#include "policy/estimator.h"

#include <algorithm>
#include <cmath>

namespace weir::policy {

namespace {
// Values that were tried: docs/tuning.md.
constexpr std::uint64_t kFirst = 8;  // answers that correct the estimate but do not judge it yet
constexpr std::uint64_t kWarm = 50;
// The part of calls whose input the margin covers.
constexpr double kCovered = 0.99;
constexpr double kLeastMargin = 1.02;
constexpr double kMostMargin = 3;
constexpr double kColdOutput = 500;
// Right-sizing: answers before it starts, and how max_tokens follows from their output.
constexpr std::uint64_t kOutputsKnown = 200;
constexpr double kOutputQuantile = 0.999;
constexpr double kOutputMargin = 1.5;
constexpr std::uint64_t kLeastOutput = 64;
constexpr std::uint64_t kAllLearned = 1000;
constexpr Duration kBetween = std::chrono::milliseconds(1);
constexpr double kFarthest = 3;  // class weights may say so much more or less than the ratio
constexpr double kSilentQuantile = 0.999;
constexpr double kSilentTimes = 3;
constexpr double kSilentAtLeast = 20;  // seconds
constexpr double kQuantile = 2.33;     // standard deviations to the 99th percentile

std::uint64_t to_tokens(double value) {
    return static_cast<std::uint64_t>(
        std::ceil(std::clamp(value, 0.0, static_cast<double>(kMostTokens))));
}

bool counted(const InputCounts& counts) {
    std::uint32_t any = 0;
    for (const std::uint32_t count : counts) {
        any |= count;
    }
    return any != 0;
}

/// A mean that follows its last hundred samples.
void follow(double& mean, double sample) {
    mean += (sample - mean) / 64;
}

Duration silence_of(const FadingQuantile& seconds) {
    return from_seconds(std::max(kSilentAtLeast, kSilentTimes * seconds.quantile(kSilentQuantile)));
}

}  // namespace

void Estimator::Margin::learn(double ratio) {
    spread.add(ratio);
    if (spread.samples() >= kWarm && spread.samples() % 8 == 0) {
        value = std::clamp(spread.quantile(kCovered), kLeastMargin, kMostMargin);
    }
}

void Estimator::Times::learn(Duration since_sent) {
    seconds.add(to_seconds(since_sent));
    if (seconds.samples() >= 20 && seconds.samples() % 8 == 0) {
        slow = from_seconds(seconds.quantile(0.95));
        silent = silence_of(seconds);
    }
}

Input::Input(const Call& call) : Input(call.input_estimate) {
    counts = call.input_counts;
    if (!call.conversation.empty()) {
        conversation = call.conversation.back().hash;
    }
}

void Estimator::recognise(Input& input, std::span<const InputMark> conversation) {
    for (std::size_t i = conversation.size(); i-- > 0;) {
        const InputMark& mark = conversation[i];
        if (const auto tokens = mark.hash != 0 ? conversations_.find(mark.hash) : std::nullopt) {
            input.known_by = this;
            input.known = *tokens;
            input.rest = rest_of(input.counts, mark.counts);
            return;
        }
    }
}

double Estimator::ratio() const {
    return ratio_.samples() >= 5 ? ratio_.value() : 1.0;
}

bool Estimator::weighing() const {
    return weights_error_ <= ratio_error_;
}

Estimator::Expectation Estimator::weigh(const InputCounts& counts, double margin) const {
    if (weighed_.known && weighed_.margin == margin && weighed_.counts == counts) {
        return weighed_.expected;
    }
    const double prior = prior_tokens(counts);
    if (prior <= 0) {
        return {};
    }
    weighed_ = {true, margin, counts,
                weigh(prior, weights_.estimate(ClassWeights::shares(counts)), margin)};
    return weighed_.expected;
}

Estimator::Expectation Estimator::weigh(double prior, const ClassWeights::Estimate& e,
                                        double margin) const {
    const double factor = std::clamp(e.factor, ratio() / kFarthest, ratio() * kFarthest);
    // Weights that are in doubt for this kind of text are not as good as the margin says.
    const double doubtful = std::min(kColdMargin, 1 + kQuantile * e.doubt / factor);
    return {0, prior * factor, std::max(margin, doubtful)};
}

/// As if nothing were known of its beginning.
Estimator::Expectation Estimator::whole(const Input& input) const {
    if (counted(input.counts) && weighing()) {
        return weigh(input.counts, margin_.value);
    }
    return {0, static_cast<double>(std::min(input.estimate, kMostTokens)) * ratio(), margin_.value};
}

Estimator::Expectation Estimator::expect(const Input& input) const {
    if (!knows(input)) {
        return whole(input);
    }
    Expectation e = weighing()
                        ? weigh(input.rest, rest_margin_.value)
                        : Expectation{0, prior_tokens(input.rest) * ratio(), rest_margin_.value};
    e.known = static_cast<double>(input.known);
    return e;
}

double Estimator::expected_input(const Input& input) const {
    const Expectation e = expect(input);
    return e.known + e.open;
}

std::uint64_t Estimator::held_input(const Input& input) const {
    const Expectation e = expect(input);
    return to_tokens(e.known + e.open * e.margin);
}

std::uint64_t Estimator::cheapest_input(const Input& input) const {
    const Expectation e = expect(input);
    return static_cast<std::uint64_t>(e.known + e.open / e.margin);
}

double Estimator::expected_cost(const Input& input, std::uint64_t max_output,
                                std::uint32_t burndown) const {
    const double most = static_cast<double>(std::min(max_output, kMostTokens));
    const bool warm = output_.samples() >= 5;
    const double output = std::min(most, warm ? output_.value() : kColdOutput);
    const double charged = warm ? uncached_.value() : 1.0;
    return expected_input(input) * charged + output * burndown;
}

void Estimator::learn_input(const Input& input, double actual) {
    weighed_.known = false;
    if (knows(input)) {
        const Expectation rest = expect(input);
        const double more = std::max(0.0, actual - rest.known);
        if (rest.open >= 1) {
            rest_margin_.learn(std::min(more / rest.open, 16.0));
        }
    }
    const double prior = prior_tokens(input.counts);
    double expected = static_cast<double>(std::min(input.estimate, kMostTokens)) * ratio();
    bool holds = true;
    if (prior > 0) {
        const auto shares = ClassWeights::shares(input.counts);
        const auto before = weights_.estimate(shares);
        if (weighing()) {
            expected = weigh(prior, before, margin_.value).open;
        }
        const auto error = [&](double told) {
            return std::abs(std::log(std::clamp(actual / std::max(told, 1.0), 1.0 / 16, 16.0)));
        };
        follow(weights_error_, error(prior * before.factor));
        follow(ratio_error_, error(prior * ratio()));
        holds = weights_.learn(shares, before, actual);
    }
    if (!holds) {
        // The model counts otherwise than it did: everything starts over, and carefully.
        ratio_ = {};
        margin_ = rest_margin_ = {};
        weights_error_ = ratio_error_ = 0;
        conversations_.clear();
    } else if (expected > 0 && ratio_.samples() >= kFirst) {
        margin_.learn(std::clamp(actual / expected, 1.0 / 16, 16.0));
    }
    const double estimate = static_cast<double>(input.estimate);
    ratio_.add(std::clamp(actual / std::max(estimate, 1.0), 1.0 / 16, 16.0));
    weighed_.known = false;
}

bool Estimator::due(Instant now) {
    if (learned_ >= kAllLearned && now >= learned_at_ && now - learned_at_ < kBetween) {
        return false;
    }
    ++learned_;
    learned_at_ = now;
    return true;
}

void Estimator::learn_usage(const Input& input, const Usage& usage, std::uint64_t settled,
                            bool closely) {
    const double whole = static_cast<double>(usage.input) + static_cast<double>(usage.cache_read) +
                         static_cast<double>(usage.cache_write);
    if (closely && input.estimate > 0 && whole > 0) {
        learn_input(input, whole);
        uncached_.add(1 - static_cast<double>(usage.cache_read) / whole);
    }
    if (input.conversation != 0 && whole > 0) {
        conversations_.remember(input.conversation, to_tokens(whole));
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
    first_.learn(since_sent);
}

void Estimator::learn_complete(Duration since_sent, bool stream, bool closely) {
    service_.add(to_seconds(since_sent));
    if (!stream && closely) {
        complete_.learn(since_sent);
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
