#include "policy/class_weights.h"

#include <algorithm>
#include <cmath>

namespace weir::policy {

namespace {

constexpr double kForget = 0.998;
constexpr double kShared = 0.30;  // standard deviation that all factors share at first
constexpr double kEach = 0.35;    // and that each has beside it
constexpr double kEachMedia = 0.70;
constexpr double kAnswerNoise = 0.05;  // of one answer, at first
constexpr double kLeastNoise = 0.02;   // else a run of equal calls would be believed for ever
constexpr double kMostNoise = 0.30;
constexpr double kFrameNoise = 4;    // tokens that frames differ by; matters in short prompts
constexpr double kMediaNoise = 0.4;  // of the media's share: sizes are not looked at
constexpr double kOutlier = 9;       // squared deviations beyond which an answer counts less
constexpr double kUnstable = 6;      // mean of the last squared deviations, each at most 16
constexpr std::uint64_t kTrial = 12;
// Early answers change much, later ones little: the weights are solved for with each of the first,
// then with every sixteenth, then with every sixty-fourth.
constexpr std::uint64_t kEachSolved = 64;
constexpr std::uint64_t kOftenSolved = 1024;

constexpr std::size_t row(std::size_t i) {
    return i * (i + 1) / 2;
}

}  // namespace

ClassWeights::ClassWeights() {
    forget_all();
}

/// The inverse of kShared^2 on every element plus kEach^2 on the diagonal (Sherman-Morrison),
/// and that times factors of 1.
const ClassWeights::Belief& ClassWeights::first_belief() {
    static const Belief kBelief = [] {
        Vector inverse;
        inverse.fill(1 / (kEach * kEach));
        inverse[static_cast<std::size_t>(InputClass::media)] = 1 / (kEachMedia * kEachMedia);
        double sum = 1 / (kShared * kShared);
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
    information_ = {};
    weighted_ = {};
    scale_ = 1;
    noise_ = kAnswerNoise * kAnswerNoise;
    surprise_ = 1;
    samples_ = 0;
    solve();
}

ClassWeights::Shares ClassWeights::shares(const InputCounts& counts) {
    Shares shares;
    shares.prior = prior_tokens(counts);
    for (std::size_t i = 0; i < kInputClasses; ++i) {
        if (counts[i] > 0) {
            shares.cls[shares.count] = static_cast<std::uint8_t>(i);
            shares.share[shares.count++] = counts[i] * kInputPrior[i] / shares.prior;
        }
    }
    shares.media = counts[static_cast<std::size_t>(InputClass::media)] / shares.prior;
    return shares;
}

ClassWeights::Estimate ClassWeights::estimate(const Shares& shares) const {
    Estimate result{0, 0};
    for (std::size_t i = 0; i < shares.count; ++i) {
        const std::size_t at = row(shares.cls[i]);
        double across = 0;
        for (std::size_t j = 0; j < i; ++j) {
            across += covariance_[at + shares.cls[j]] * shares.share[j];
        }
        const double own = covariance_[at + shares.cls[i]] * shares.share[i];
        result.doubt += shares.share[i] * (2 * across + own);
        result.factor += shares.share[i] * factors_[shares.cls[i]];
    }
    result.doubt = std::sqrt(std::max(0.0, result.doubt));
    return result;
}

/// By Cholesky; false: the matrix is not what a sum of squares can be.
bool ClassWeights::solve() {
    const Belief& belief = first_belief();
    for (double& value : information_) {
        value *= scale_;
    }
    Vector weighted;
    for (std::size_t i = 0; i < kInputClasses; ++i) {
        weighted_[i] *= scale_;
        weighted[i] = belief.weighted[i] + weighted_[i];
    }
    scale_ = 1;
    Packed root;
    for (std::size_t i = 0; i < kInputClasses; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            double left = belief.information[row(i) + j] + information_[row(i) + j];
            for (std::size_t k = 0; k < j; ++k) {
                left -= root[row(i) + k] * root[row(j) + k];
            }
            if (i == j) {
                if (!(left > 0) || !std::isfinite(left)) {
                    return false;
                }
                root[row(i) + i] = 1 / std::sqrt(left);
            } else {
                root[row(i) + j] = left * root[row(j) + j];
            }
        }
    }
    // The root's inverse, in its place; the diagonal is inverted already.
    for (std::size_t i = 1; i < kInputClasses; ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            double sum = 0;
            for (std::size_t k = j; k < i; ++k) {
                sum += root[row(i) + k] * root[row(k) + j];
            }
            root[row(i) + j] = -sum * root[row(i) + i];
        }
    }
    factors_ = {};
    for (std::size_t i = 0; i < kInputClasses; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            double sum = 0;
            for (std::size_t k = i; k < kInputClasses; ++k) {
                sum += root[row(k) + i] * root[row(k) + j];
            }
            covariance_[row(i) + j] = sum;
            factors_[i] += sum * weighted[j];
            factors_[j] += i == j ? 0 : sum * weighted[i];
        }
    }
    return std::ranges::all_of(factors_, [](double f) { return std::isfinite(f); });
}

void ClassWeights::add(const Shares& shares, double ratio, double variance) {
    scale_ *= kForget;
    for (std::size_t i = 0; i < shares.count; ++i) {
        const double weight = shares.share[i] / (variance * scale_);
        weighted_[shares.cls[i]] += weight * ratio;
        for (std::size_t j = 0; j <= i; ++j) {
            information_[row(shares.cls[i]) + shares.cls[j]] += weight * shares.share[j];
        }
    }
    ++samples_;
}

bool ClassWeights::learn(const Shares& z, const Estimate& before, double actual) {
    const double ratio = std::clamp(actual / z.prior, 1.0 / 16, 16.0);
    const double frame = kFrameNoise / std::max(z.prior, 1.0);
    const double media = kMediaNoise * z.media;
    const double own = frame * frame + media * media;
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
    const std::uint64_t every = samples_ < kEachSolved ? 1 : samples_ < kOftenSolved ? 16 : 64;
    if (samples_ % every == 0 && !solve()) {
        forget_all();
        return false;
    }
    return holds;
}

}  // namespace weir::policy
