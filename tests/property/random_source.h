// Seeded randomness for property tests: printed, and set again with WEIR_SEED.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace weir::test {

inline std::uint64_t seed_for(const std::string& what, std::uint64_t fallback) {
    std::uint64_t seed = fallback;
    if (const char* given = std::getenv("WEIR_SEED")) {
        seed = std::strtoull(given, nullptr, 10);
    }
    std::cout << what << ": WEIR_SEED=" << seed << "\n";
    return seed;
}

/// So many draws: each of them takes ten times as long under a sanitizer.
constexpr std::uint64_t draws(std::uint64_t plainly) {
#if defined(__SANITIZE_ADDRESS__)
    return (plainly + 3) / 4;
#else
    return plainly;
#endif
}

struct Dice {
    std::mt19937_64 engine;
    explicit Dice(std::uint64_t seed) : engine(seed) {}
    std::uint64_t below(std::uint64_t n) { return engine() % n; }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    double uniform() { return std::uniform_real_distribution<double>(0, 1)(engine); }
    double exponential(double mean) {
        return std::exponential_distribution<double>(1 / mean)(engine);
    }
    double log_normal(double mean, double sigma) {
        return std::lognormal_distribution<double>(std::log(mean) - sigma * sigma / 2,
                                                   sigma)(engine);
    }
};

}  // namespace weir::test
