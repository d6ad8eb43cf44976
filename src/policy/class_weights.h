// What one of each class of input costs a model, learned by least squares.
#pragma once

#include <weir/input_counts.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::policy {

/// A factor a class on the prior weights, by recursive least squares.
///
/// Every answer counts alike, however long: what is fitted is actual/prior, as a sum of the shares
/// that the classes have in the prior. Before the first answer the factors are believed to be 1,
/// give or take a third together and a third each; so a few answers move all of them, and many
/// tell them apart. Old answers are forgotten at 0.998 an answer, and what is forgotten is replaced
/// by the first belief: a class that is not seen returns to what the others suggest, and nothing
/// can grow without bound. Factors that keep being wrong by more than they can explain are given up
/// at once.
class ClassWeights {
public:
    struct Estimate {
        double factor = 1;  ///< on prior_tokens(); finite, not clamped, may be negative
        double doubt = 0;   ///< its standard deviation
    };

    /// Shares in the prior of the classes that are there at all.
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

    /// `before`: what estimate() says of it. False: the weights did not hold and are back at the
    /// prior; this answer is the first again.
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
