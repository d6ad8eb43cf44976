// What to ask for and what to change, with the arithmetic behind it.
#pragma once

#include "plan/survey.h"

#include <optional>
#include <string>
#include <vector>

namespace weir::plan {

/// A margin on the sum of the clients' peaks: three that peak at 50, 50 and 75 requests want 200.
constexpr double kQuotaMargin = 1.14;
/// Over the 99.9th percentile of what was produced.
constexpr double kMaxTokensMargin = 1.5;

/// Rounded up to two significant digits: 199.5 gives 200, 12,345 gives 13,000.
std::uint64_t round_up(double value);

/// The quota to ask for: peaks over any 60 s, not averages, for clients do not peak at one time
/// until they do. Of a trace shorter than a minute, what its rate would come to in one.
struct QuotaAdvice {
    std::string model;
    struct Client {
        std::string name;
        std::uint64_t calls = 0;
        std::uint64_t peak_calls = 0;
        std::uint64_t peak_tokens = 0;
    };
    std::vector<Client> clients;  ///< by falling token peaks, 200 at most, the rest as `other`
    std::uint64_t sum_calls = 0;
    std::uint64_t sum_tokens = 0;
    std::uint64_t ask_calls = 0;
    std::uint64_t ask_tokens = 0;  ///< settled; see MaxTokensAdvice for what is held in vain
};

/// The share of a quota that stays usable while each call holds max_tokens until it settles:
/// 60c / (60c + S(M + I - c)).
double usable_share(double settled, double service_seconds, double max_tokens, double input);

struct MaxTokensAdvice {
    std::string model;
    double mean_max_tokens = 0;       ///< M
    double mean_input = 0;            ///< I, with what is read from caches
    double mean_settled = 0;          ///< c
    double mean_service_seconds = 0;  ///< S
    double usable = 1;
    double output_p999 = 0;
    std::uint64_t enough = 0;  ///< max_tokens that would do
    double usable_then = 1;
};

/// The same traffic at another model: arithmetic, no word about quality.
struct ModelAdvice {
    std::string model;
    std::uint32_t burndown = 1;
    std::uint64_t context = 0;
    double tokens_per_minute = 0;  ///< settled, in the mean
    double of_now = 1;             ///< over the present model's
};

struct Advice {
    std::vector<QuotaAdvice> quotas;
    std::vector<MaxTokensAdvice> max_tokens;
    /// Others that ask for less of a quota, or have a larger context where the trace needs one; for
    /// the model with the most tokens.
    std::string busiest;
    double busiest_tokens_per_minute = 0;
    std::uint32_t busiest_burndown = 1;
    std::uint64_t busiest_context = 0;
    std::uint64_t largest_input = 0;
    std::vector<ModelAdvice> models;
};

Advice advise(const Scenario& scenario, const Survey& survey);

/// Another Region of the same continent.
std::string neighbour_of(const std::string& region);

/// A scenario with more behind each model, and the name of what was added.
struct Wider {
    Scenario scenario;
    std::string added;
};

/// The same scenario with a second Region behind every model that has but one, with quotas of the
/// same size there; nullopt: every model has several, or the configuration does not allow it.
std::optional<Wider> with_second_region(const Scenario& scenario, const Survey& survey);

/// The same scenario with a small model of the callers' own geography behind every model that has
/// no other, at home, with a quota of the same size if it has none; nullopt: as above.
std::optional<Wider> with_fallback(const Scenario& scenario, const Survey& survey);

}  // namespace weir::plan
