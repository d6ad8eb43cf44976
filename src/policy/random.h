// Jitter's only source: a seeded generator, so that a run can be repeated exactly.
#pragma once

#include <weir/time.h>

#include <cstdint>

namespace weir::policy {

/// SplitMix64: small, fast and good enough to spread retries apart.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31U);
    }

    /// Uniform in [0, 1).
    double uniform() { return static_cast<double>(next() >> 11U) * 0x1p-53; }

    Duration between(Duration low, Duration high) {
        return low + from_seconds(to_seconds(high - low) * uniform());
    }

private:
    std::uint64_t state_;
};

}  // namespace weir::policy
