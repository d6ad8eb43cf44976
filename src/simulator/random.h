// Randomness that is the same on every platform for the same seed.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

namespace weir::simulator {

/// SplitMix64 with the few distributions that the simulator and the demo need. The standard
/// library's distributions differ between implementations; a printed seed must not.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9E3779B97F4A7C15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }
    /// In [0, 1).
    double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
    std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : next() % n; }
    double exponential(double mean) { return -mean * std::log1p(-uniform()); }
    double normal() {
        const double radius = std::sqrt(-2 * std::log1p(-uniform()));
        return radius * std::cos(2 * std::numbers::pi * uniform());
    }
    /// With this mean (not median); `spread` is the standard deviation of the logarithm.
    double log_normal(double mean, double spread) {
        return std::exp(std::log(mean) - spread * spread / 2 + spread * normal());
    }

private:
    std::uint64_t state_;
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
