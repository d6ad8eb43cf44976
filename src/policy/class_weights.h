// The token cost of each class of input for a model, learned by least squares.
#pragma once

#include <weir/input_counts.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::policy {

/// A factor a class on the prior weights, by recursive least squares.
///
/// Every answer has the same weight at any length: the fit is of actual/prior, as a sum of the
/// shares that the classes have in the prior. The prior of the factors is 1, with a standard
/// deviation of a third together and a third each; so a few answers move all of them, and many
/// separate them. Old answers decay by 0.998 per answer, and the prior replaces what decays: a
/// class that is not seen returns to the value that the others suggest, and nothing grows without
/// bound. Factors whose errors stay larger than their doubt explains are reset to the prior at
/// once.
class ClassWeights {
public:
    struct Estimate {
        double factor = 1;  ///< on prior_tokens(); finite, not clamped, may be negative
        double doubt = 0;   ///< its standard deviation
    };

    /// Shares in the prior of the classes that occur.
    struct Shares {
        std::array<std::uint8_t, kInputClasses> cls;
        std::array<double, kInputClasses> share;  // by place in `cls`
        std::size_t count = 0;
        double media = 0;
        double prior = 0;
    };

    ClassWeights();

    /// `counts` with prior_tokens() above 0.
    static Shares shares(const InputCounts& counts);
    Estimate estimate(const Shares& shares) const;

    /// `before`: the result of estimate() for it. False: the weights were wrong and are reset to
    /// the prior; this answer is the first again.
    bool learn(const Shares& shares, const Estimate& before, double actual);

    /// Answers since the prior.
    std::uint64_t samples() const { return samples_; }

private:
    static constexpr std::size_t kPacked = kInputClasses * (kInputClasses + 1) / 2;
    using Vector = std::array<double, kInputClasses>;
    using Packed = std::array<double, kPacked>;  // the lower half of a symmetric matrix, by rows
    struct Belief {
        Packed information;
        Vector weighted;
    };

    static const Belief& first_belief();
    void forget_all();
    void add(const Shares& shares, double ratio, double variance);
    bool solve();

    // Beyond the first belief, over scale_: the inverse of the factors' covariance and that times
    // the factors. To forget is then one multiplication an answer, of scale_.
    Packed information_{};
    Vector weighted_{};
    double scale_ = 1;
    Packed covariance_{};  // these two: as of the last solve()
    Vector factors_{};
    double noise_ = 0;     // variance of actual/prior that no factors would explain
    double surprise_ = 1;  // recent errors, squared, over what was expected of them
    std::uint64_t samples_ = 0;
};

}  // namespace weir::policy
