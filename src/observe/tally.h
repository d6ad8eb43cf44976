// Counts that one shard keeps between two scrapes. The library's own counters and histograms take a
// lock and several compare-and-swaps for each value, some twenty a request; these take additions.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

namespace weir::observe {

/// Of one counter. Not thread-safe.
class CounterTally {
public:
    CounterTally() = default;
    /// `unit`: what one of the whole numbers that are added is worth there.
    explicit CounterTally(prometheus::Counter& counter, double unit = 1)
        : counter_(&counter), unit_(unit) {}

    void add(std::uint64_t amount = 1) { amount_ += amount; }
    void pour_out() {
        if (amount_ > 0) {
            counter_->Increment(static_cast<double>(amount_) * unit_);
            amount_ = 0;
        }
    }

private:
    prometheus::Counter* counter_ = nullptr;
    double unit_ = 1;
    std::uint64_t amount_ = 0;
};

/// Of one histogram with these upper bounds, which outlive it, at most kMost. Not thread-safe.
class HistogramTally {
public:
    static constexpr std::size_t kMost = 16;

    HistogramTally() = default;
    HistogramTally(prometheus::Histogram& histogram, std::span<const double> bounds)
        : histogram_(&histogram), bounds_(bounds) {
        if (bounds.size() > kMost) {
            std::abort();
        }
    }

    void observe(double value) {
        const auto bound = std::ranges::lower_bound(bounds_, value);
        ++counts_[static_cast<std::size_t>(bound - bounds_.begin())];
        sum_ += value;
        any_ = true;
    }
    void pour_out() {
        if (any_) {
            const auto end = counts_.begin() + static_cast<std::ptrdiff_t>(bounds_.size() + 1);
            histogram_->ObserveMultiple(std::vector<double>(counts_.begin(), end), sum_);
            counts_.fill(0);
            sum_ = 0;
            any_ = false;
        }
    }

private:
    prometheus::Histogram* histogram_ = nullptr;
    std::span<const double> bounds_;
    std::array<std::uint64_t, kMost + 1> counts_{};
    double sum_ = 0;
    bool any_ = false;
};

}  // namespace weir::observe
