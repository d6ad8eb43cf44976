// A high quantile of a stream in constant memory, forgetting slowly.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace weir::policy {

/// Log-spaced histogram whose old samples fade. Answers are within one bucket (about 4 %).
class FadingQuantile {
public:
    /// Samples are clamped into [low, low * 2^20].
    explicit FadingQuantile(double low) : low_(low) {}

    void add(double sample) {
        weight_ /= kFade;
        if (weight_ > 1e100) {
            for (double& c : counts_) {
                c /= weight_;
            }
            total_ /= weight_;
            weight_ = 1;
        }
        const double position = std::log2(std::max(sample, low_) / low_) * kPerOctave;
        counts_[std::min(static_cast<std::size_t>(position), kBuckets - 1)] += weight_;
        total_ += weight_;
        ++samples_;
    }

    std::uint64_t samples() const { return samples_; }

    double quantile(double q) const {
        double left = total_ * (1 - q);
        for (std::size_t i = kBuckets; i-- > 0;) {
            if (counts_[i] > 0 && left <= counts_[i]) {
                // Samples are taken to be spread evenly within the bucket.
                const double inside = 1 - left / counts_[i];
                return low_ * std::exp2((static_cast<double>(i) + inside) / kPerOctave);
            }
            left -= counts_[i];
        }
        return low_;
    }

private:
    static constexpr double kFade = 0.999;
    static constexpr double kPerOctave = 16;
    static constexpr std::size_t kBuckets = 320;

    double low_;
    double weight_ = 1;
    double total_ = 0;
    std::uint64_t samples_ = 0;
    std::array<double, kBuckets> counts_{};
};

/// A mean that starts as the plain average and goes on as an exponential one.
class FadingMean {
public:
    void add(double sample) {
        samples_ = std::min<std::uint64_t>(samples_ + 1, 200);
        mean_ += (sample - mean_) / static_cast<double>(samples_);
    }
    double value() const { return mean_; }
    std::uint64_t samples() const { return samples_; }

private:
    double mean_ = 0;
    std::uint64_t samples_ = 0;
};

}  // namespace weir::policy
