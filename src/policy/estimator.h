// What calls to a model have turned out to cost, and how long they took.
#pragma once

#include <weir/input_counts.h>
#include <weir/time.h>
#include <weir/types.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "policy/class_weights.h"
#include "policy/prefix_memory.h"
#include "policy/quantile.h"

namespace weir::policy {

/// No single answer may claim more tokens than this; beyond is a broken or hostile usage record.
constexpr std::uint64_t kMostTokens = std::uint64_t{1} << 32;

class Estimator;

/// A call's input as estimators see it. A bare number is an estimate that nobody can look into.
struct Input {
    Input() = default;
    Input(std::uint64_t tokens) : estimate(std::min(tokens, kMostTokens)) {}
    explicit Input(const Call& call);

    std::uint64_t estimate = 0;      ///< tokens, before any correction
    InputCounts counts{};            ///< all zero: unknown
    std::uint64_t conversation = 0;  ///< hash of the whole; 0: unknown

    /// The beginning that `known_by` has seen counted by the service, and what comes after it.
    const Estimator* known_by = nullptr;  ///< compared, never followed
    std::uint64_t known = 0;              ///< tokens
    InputCounts rest{};
};

/// Learns, for one model, what input really costs, with a margin that covers 99 of 100 calls, the
/// settled cost, the output and the time to serve.
///
/// The estimate is the prior times what the class weights say; where the driver counts no classes,
/// or while they do worse than it, times the one ratio of actual to estimated input. What an
/// earlier request of the same conversation has been counted at is taken as it was, and only the
/// rest estimated. The margin is the 99th percentile of actual to estimated in the way the estimate
/// was made. Cold, and for kinds of text not seen before, it is up to 1.35.
class Estimator {
public:
    /// Looks for the longest beginning of the call that it knows, and notes it in `input`.
    void recognise(Input& input, std::span<const InputMark> conversation);

    /// Input tokens expected, what was learned applied.
    double expected_input(const Input& input) const;
    double ratio() const;
    /// Of calls whose beginning is not known.
    double margin() const { return margin_.value; }
    bool weighing() const;  ///< by class weights, for calls that have counts

    /// What to hold for this input: expectation times margin.
    std::uint64_t held_input(const Input& input) const;
    /// The least that can honestly be expected: expectation over margin.
    std::uint64_t cheapest_input(const Input& input) const;

    /// Settled cost to be expected of a call.
    double expected_cost(const Input& input, std::uint64_t max_output,
                         std::uint32_t burndown) const;

    /// 95th percentile from `sent` to the complete answer, or a stream's first content; 0: unknown.
    Duration slow_service(bool stream) const { return (stream ? first_ : complete_).slow; }
    /// Without a first byte for so long after `sent`, the target is taken to be silent: three times
    /// the 99.9th percentile, at least 20 s; nullopt: too little is known.
    std::optional<Duration> silence(bool stream) const {
        const Duration after = (stream ? first_ : complete_).silent;
        return after > Duration::zero() ? std::optional(after) : std::nullopt;
    }
    double mean_service_seconds() const { return service_.value(); }
    /// Output tokens a second from `sent` to the complete answer; 0: unknown.
    double output_rate() const {
        const bool known = output_.samples() >= 5 && service_.value() > 0;
        return known ? output_.value() / service_.value() : 0;
    }
    double mean_reserved() const { return reserved_.value(); }
    double mean_settled() const { return settled_.value(); }
    double mean_max_output() const { return max_output_.value(); }
    double mean_output() const { return output_.value(); }
    std::uint64_t answers() const { return settled_.samples(); }

    /// A max_tokens that all but one in a thousand answers of this kind stay well below; nullopt:
    /// too few are known.
    std::optional<std::uint64_t> enough_output(OutputKind kind) const;
    void learn_output(OutputKind kind, std::uint64_t output);

    /// Whether an answer at this time is to be learned from closely. Each of the first thousand is;
    /// of those that come faster than one a millisecond later on, one a millisecond: they tell as
    /// much as all, and learning from one costs a quarter of all that the engine does for it.
    bool due(Instant now);
    /// Not `closely`: only means, and what the conversation will begin with.
    void learn_usage(const Input& input, const Usage& usage, std::uint64_t settled,
                     bool closely = true);
    void learn_reservation(std::uint64_t reserved, std::uint64_t max_output);
    void learn_first(Duration since_sent);
    void learn_complete(Duration since_sent, bool stream, bool closely = true);

    /// The share of a quota that stays usable given what max_tokens holds in vain, for a window of
    /// `window`; 1 when unknown.
    double usable_share(Duration window) const;

private:
    /// `known` is certain; `open` is expected beside it, give or take `margin`.
    struct Expectation {
        double known = 0;
        double open = 0;
        double margin = 1;
    };

    static constexpr double kColdMargin = 1.35;

    /// What covers 99 of 100 calls: from the spread of actual to estimated.
    struct Margin {
        FadingQuantile spread{1.0 / 64};
        double value = kColdMargin;

        void learn(double ratio);
    };

    /// How long answers take.
    struct Times {
        FadingQuantile seconds{1e-3};
        Duration slow{};    ///< see slow_service()
        Duration silent{};  ///< see silence()

        void learn(Duration since_sent);
    };

    /// What weigh() said last: a call is weighed some six times before anything is learned.
    struct Weighed {
        bool known = false;
        double margin = 0;
        InputCounts counts{};
        Expectation expected;
    };

    bool knows(const Input& input) const { return input.known > 0 && input.known_by == this; }
    Expectation whole(const Input& input) const;
    Expectation expect(const Input& input) const;
    Expectation weigh(const InputCounts& counts, double margin) const;
    Expectation weigh(double prior, const ClassWeights::Estimate& estimate, double margin) const;
    void learn_input(const Input& input, double actual);

    mutable Weighed weighed_;
    ClassWeights weights_;
    PrefixMemory conversations_{10'000};
    std::uint64_t learned_ = 0;  // answers, closely; the last of them at
    Instant learned_at_{};
    double weights_error_ = 0;  // mean of recent errors, on a log scale
    double ratio_error_ = 0;
    FadingMean ratio_;
    FadingMean output_;
    FadingMean uncached_;
    FadingMean settled_;
    FadingMean service_;
    FadingMean reserved_;
    FadingMean max_output_;
    std::array<std::unique_ptr<FadingQuantile>, kOutputKinds> outputs_;
    std::array<std::uint64_t, kOutputKinds> enough_{};
    Margin margin_;
    Margin rest_margin_;  // of what comes after a known beginning
    Times first_;         // to a stream's first content
    Times complete_;
};

}  // namespace weir::policy
