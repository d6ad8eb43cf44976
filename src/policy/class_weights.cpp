#include "policy/class_weights.h"

#include <algorithm>
#include <cmath>

namespace weir::policy {

namespace {

constexpr double kForget = 0.998;
constexpr double kTogether = 0.30;  // standard deviation that all factors share at first
constexpr double kEach = 0.35;      // and that each has beside it
constexpr double kEachMedia = 0.70;
constexpr double kNoise = 0.05;       // of one answer, at first
constexpr double kLeastNoise = 0.02;  // else a run of equal calls would be believed for ever
constexpr double kMostNoise = 0.30;
constexpr double kFrameNoise = 4;    // tokens that frames differ by; matters in short prompts
constexpr double kMediaNoise = 0.4;  // of the media's share: sizes are not looked at
constexpr double kOutlier = 9;       // squared deviations beyond which an answer counts less
constexpr double kUnstable = 6;      // mean of the last squared deviations, each at most 16
constexpr std::uint64_t kTrial = 12;

constexpr std::size_t row(std::size_t i) {
    return i * (i + 1) / 2;
}

}  // namespace

ClassWeights::ClassWeights() {
    forget_all();
}

/// The inverse of kTogether^2 on every element plus kEach^2 on the diagonal (Sherman-Morrison),
/// and that times factors of 1.
const ClassWeights::Belief& ClassWeights::first_belief() {
    static const Belief kBelief = [] {
        Vector inverse;
        inverse.fill(1 / (kEach * kEach));
        inverse[static_cast<std::size_t>(InputClass::media)] = 1 / (kEachMedia * kEachMedia);
        double sum = 1 / (kTogether * kTogether);
        for (const double d : inverse) {
            sum += d;
        }
        Belief belief{};
        for (std::size_t i = 0; i < kInputClasses; ++i) {
            for (std::size_t j = 0; j <= i; ++j) {
                const double value = (i == j ? inverse[i] : 0) - inverse[i] * inverse[j] / sum;
                belief.information[row(i) + j] = value;
                belief.weighted[i] += value;
                belief.weighted[j] += i == j ? 0 : value;
            }
        }
        return belief;
    }();
    return kBelief;
}

void ClassWeights::forget_all() {
    information_ = first_belief().information;
    weighted_ = first_belief().weighted;
    noise_ = kNoise * kNoise;
    surprise_ = 1;
    samples_ = 0;
    solve();
}

ClassWeights::Vector ClassWeights::shares(const InputCounts& counts, double prior) {
    Vector shares;
    for (std::size_t i = 0; i < kInputClasses; ++i) {
        shares[i] = counts[i] * kInputPrior[i] / prior;
    }
    return shares;
}

ClassWeights::Estimate ClassWeights::of(const Vector& shares) const {
    Estimate result{0, 0};
    Vector solved;
    for (std::size_t i = 0; i < kInputClasses; ++i) {
        double left = shares[i];
        for (std::size_t j = 0; j < i; ++j) {
            left -= root_[row(i) + j] * solved[j];
        }
        solved[i] = left / root_[row(i) + i];
        result.doubt += solved[i] * solved[i];
        result.factor += shares[i] * factors_[i];
    }
    result.doubt = std::sqrt(result.doubt);
    return result;
}

ClassWeights::Estimate ClassWeights::estimate(const InputCounts& counts) const {
    return of(shares(counts, prior_tokens(counts)));
}

/// Cholesky; false: the matrix is not what a sum of squares can be.
bool ClassWeights::solve() {
    Vector half;
    for (std::size_t i = 0; i < kInputClasses; ++i) {
        double right = weighted_[i];
        for (std::size_t j = 0; j <= i; ++j) {
            double left = information_[row(i) + j];
            for (std::size_t k = 0; k < j; ++k) {
                left -= root_[row(i) + k] * root_[row(j) + k];
            }
            if (i == j) {
                if (!(left > 0) || !std::isfinite(left)) {
                    return false;
                }
                root_[row(i) + i] = std::sqrt(left);
            } else {
                root_[row(i) + j] = left / root_[row(j) + j];
                right -= root_[row(i) + j] * half[j];
            }
        }
        half[i] = right / root_[row(i) + i];
    }
    for (std::size_t i = kInputClasses; i-- > 0;) {
        double left = half[i];
        for (std::size_t k = i + 1; k < kInputClasses; ++k) {
            left -= root_[row(k) + i] * factors_[k];
        }
        factors_[i] = left / root_[row(i) + i];
        if (!std::isfinite(factors_[i])) {
            return false;
        }
    }
    return true;
}

void ClassWeights::add(const Vector& shares, double ratio, double variance) {
    const Belief& belief = first_belief();
    for (std::size_t i = 0; i < kInputClasses; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            const std::size_t at = row(i) + j;
            information_[at] = kForget * information_[at] + (1 - kForget) * belief.information[at] +
                               shares[i] * shares[j] / variance;
        }
        weighted_[i] = kForget * weighted_[i] + (1 - kForget) * belief.weighted[i] +
                       shares[i] * ratio / variance;
    }
    ++samples_;
}

bool ClassWeights::learn(const InputCounts& counts, double actual) {
    const double prior = prior_tokens(counts);
    const Vector z = shares(counts, prior);
    const double ratio = std::clamp(actual / prior, 1.0 / 16, 16.0);
    const double frame = kFrameNoise / std::max(prior, 1.0);
    const double media = kMediaNoise * z[static_cast<std::size_t>(InputClass::media)];
    const double own = frame * frame + media * media;
    const Estimate before = of(z);
    const double error = ratio - before.factor;
    const double doubt = before.doubt * before.doubt;
    const double deviation = error * error / (noise_ + own + doubt);
    bool holds = true;
    surprise_ += (std::min(deviation, 16.0) - surprise_) / 8;
    if (samples_ >= kTrial && surprise_ > kUnstable) {
        forget_all();
        holds = false;
    } else {
        // What neither doubt nor this prompt's own noise explains, is noise.
        const double unexplained = std::clamp(error * error - own - doubt, 0.0, 16 * noise_);
        noise_ += (unexplained - noise_) / 128;
        noise_ = std::clamp(noise_, kLeastNoise * kLeastNoise, kMostNoise * kMostNoise);
    }
    const double weight = deviation > kOutlier ? std::sqrt(deviation / kOutlier) : 1;
    add(z, ratio, (noise_ + own) * (holds ? weight : 1));
    if (!solve()) {
        forget_all();
        return false;
    }
    return holds;
}

}  // namespace weir::policy
