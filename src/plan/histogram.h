// Quantiles of any number of values in constant memory.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace weir::plan {

/// Counts values in bins that grow by 2 %, from 0.001 to about 400 million; what lies outside goes
/// to the first or the last. A quantile is the upper edge of its bin: at most 2 % too large.
class Histogram {
public:
    void add(double value) {
        ++bins_[bin_of(value)];
        ++count_;
    }
    std::uint64_t count() const { return count_; }

    /// Nearest rank, `q` in (0, 1]; 0 when empty or when the value is at most 0.001.
    double quantile(double q) const {
        const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_)));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < kBins && count_ > 0; ++i) {
            seen += bins_[i];
            if (seen >= std::max<std::uint64_t>(rank, 1)) {
                return i == 0 ? 0 : kLeast * std::pow(kGrowth, static_cast<double>(i));
            }
        }
        return 0;
    }

private:
    static constexpr double kLeast = 0.001;
    static constexpr double kGrowth = 1.02;
    static constexpr std::size_t kBins = 1350;

    static std::size_t bin_of(double value) {
        if (!(value > kLeast)) {
            return 0;
        }
        const double bin = std::ceil(std::log(value / kLeast) / std::log(kGrowth) - 1e-9);
        return std::min(kBins - 1, static_cast<std::size_t>(bin));
    }

    std::array<std::uint64_t, kBins> bins_{};
    std::uint64_t count_ = 0;
};

}  // namespace weir::plan
