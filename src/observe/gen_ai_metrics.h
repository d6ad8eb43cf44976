// The metrics of OpenTelemetry's semantic conventions for generative AI. They go out by OTLP alone:
// at GET /metrics weir's own families say the same.
#pragma once

#include "observe/labels.h"
#include "observe/otlp.h"

#include <weir/types.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace weir::observe {

/// Bounds that the conventions give.
inline constexpr std::array<double, 14> kTokenBounds{
    1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
inline constexpr std::array<double, 14> kDurationBounds{
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
inline constexpr std::array<double, 16> kFirstTokenBounds{
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10};

/// Counts in the buckets between `bounds`, which are upper ones. Not thread-safe.
template <std::size_t N>
struct BucketCounts {
    std::array<std::uint64_t, N + 1> counts{};
    double sum = 0;

    void observe(const std::array<double, N>& bounds, double value) {
        const auto at = std::ranges::lower_bound(bounds, value) - bounds.begin();
        ++counts[static_cast<std::size_t>(at)];
        sum += value;
    }
    void add(const BucketCounts& more) {
        for (std::size_t i = 0; i < counts.size(); ++i) {
            counts[i] += more.counts[i];
        }
        sum += more.sum;
    }
    bool any() const {
        return std::ranges::any_of(counts, [](std::uint64_t count) { return count > 0; });
    }
};

/// Of calls of one operation, model asked for, model that answered and way to fail.
struct GenAiTally {
    BucketCounts<kTokenBounds.size()> input, output;
    BucketCounts<kDurationBounds.size()> duration;
    BucketCounts<kFirstTokenBounds.size()> first_token;

    /// `first_token_seconds` < 0: none.
    void observe(double seconds, double first_token_seconds, const Usage& usage);
    void add(const GenAiTally& more);
};

/// gen_ai.operation.name, gen_ai.request.model, gen_ai.response.model and error.type; empty: not
/// set.
using GenAiNames = std::array<std::string, 4>;

std::vector<OtlpHistogram> gen_ai_histograms(const std::map<GenAiNames, GenAiTally>& tallies);

}  // namespace weir::observe
