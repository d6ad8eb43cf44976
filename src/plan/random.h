// Randomness that a seed repeats on every machine: the standard library's distributions do not.
#pragma once

#include <weir/split_mix.h>

#include <cmath>
#include <cstdint>
#include <string_view>

namespace weir::plan {

/// With the distributions that a plan draws from.
class Random : public SplitMix64 {
public:
    using SplitMix64::SplitMix64;

    /// With this mean (not median); `spread` is the standard deviation of the logarithm.
    double log_normal(double mean, double spread) {
        return mean * std::exp(spread * normal() - spread * spread / 2);
    }
};

/// FNV-1a: turns a name into a seed of its own.
inline std::uint64_t seed_of(std::string_view name, std::uint64_t seed) {
    std::uint64_t h = 0xCBF29CE484222325ULL ^ (seed * 0x9E3779B97F4A7C15ULL);
    for (const char c : name) {
        h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    }
    return h;
}

}  // namespace weir::plan
