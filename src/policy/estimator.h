// What calls to a model have turned out to cost, and how long they took.
#pragma once

#include <weir/time.h>
#include <weir/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "policy/quantile.h"

namespace weir::policy {

/// No single answer may claim more tokens than this; beyond is a broken or hostile usage record.
constexpr std::uint64_t kMostTokens = std::uint64_t{1} << 32;

/// Learns, for one model, the ratio of actual to estimated input with a margin that covers 99 of
/// 100 calls, the settled cost, the output and the time to serve. Cold, it assumes a margin
/// of 1.35.
class Estimator {
public:
    /// Input tokens expected, the learned ratio applied.
    double expected_input(std::uint64_t estimate) const;
    double ratio() const;
    double margin() const { return margin_; }

    /// What to hold for this input: expectation times margin.
    std::uint64_t held_input(std::uint64_t estimate) const;
    /// The least that can honestly be expected: expectation over margin.
    std::uint64_t cheapest_input(std::uint64_t estimate) const;

    /// Settled cost to be expected of a call.
    double expected_cost(std::uint64_t estimate, std::uint64_t max_output,
                         std::uint32_t burndown) const;

    /// 95th percentile from `sent` to the complete answer, or a stream's first content; 0: unknown.
    Duration slow_service(bool stream) const { return stream ? slow_first_ : slow_complete_; }
    double mean_service_seconds() const { return service_.value(); }
    double mean_settled() const { return settled_.value(); }
    double mean_reserved() const { return reserved_.value(); }
    double mean_max_output() const { return max_output_.value(); }
    std::uint64_t answers() const { return settled_.samples(); }

    /// A max_tokens that all but one in a thousand answers of this kind stay well below; nullopt:
    /// too few are known.
    std::optional<std::uint64_t> enough_output(OutputKind kind) const;
    void learn_output(OutputKind kind, std::uint64_t output);

    void learn_usage(std::uint64_t estimate, const Usage& usage, std::uint64_t settled);
    void learn_reservation(std::uint64_t reserved, std::uint64_t max_output);
    void learn_first(Duration since_sent);
    void learn_complete(Duration since_sent, bool stream);

    /// The share of a quota that stays usable given what max_tokens holds in vain, for a window of
    /// `window`; 1 when unknown.
    double usable_share(Duration window) const;

private:
    FadingMean ratio_;
    FadingMean output_;
    FadingMean uncached_;
    FadingMean settled_;
    FadingMean service_;
    FadingMean reserved_;
    FadingMean max_output_;
    FadingQuantile spread_{1.0 / 64};
    std::array<std::unique_ptr<FadingQuantile>, kOutputKinds> outputs_;
    std::array<std::uint64_t, kOutputKinds> enough_{};
    FadingQuantile first_{1e-3};
    FadingQuantile complete_{1e-3};
    double margin_ = 1.35;
    Duration slow_first_{};
    Duration slow_complete_{};
};

}  // namespace weir::policy
