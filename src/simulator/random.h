// Randomness that is the same on every platform for the same seed.
#pragma once

#include <weir/split_mix.h>

#include <cmath>
#include <cstdint>
#include <string_view>

namespace weir::simulator {

/// With the few distributions that the simulator and the demo need.
class Random : public SplitMix64 {
public:
    using SplitMix64::SplitMix64;

    std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : next() % n; }
    /// With this mean (not median); `spread` is the standard deviation of the logarithm.
    double log_normal(double mean, double spread) {
        return std::exp(std::log(mean) - spread * spread / 2 + spread * normal());
    }
};

/// FNV-1a: turns names into seeds.
inline std::uint64_t hash_name(std::string_view text, std::uint64_t seed = 0) {
    std::uint64_t h = 0xCBF29CE484222325ULL ^ seed;
    for (const char c : text) {
        h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    }
    return h;
}

}  // namespace weir::simulator
