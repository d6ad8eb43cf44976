// A first look at a trace: how much it asks, when, and for whom.
#pragma once

#include "plan/histogram.h"
#include "plan/scenario.h"

#include <algorithm>
#include <vector>

namespace weir::plan {

/// A part of a trace, added up. Tokens are as the service settles them.
struct Demand {
    std::uint64_t calls = 0;
    std::uint64_t input = 0;
    std::uint64_t cached = 0;
    std::uint64_t output = 0;
    std::uint64_t max_tokens = 0;  ///< the sum of them
    std::uint64_t settled = 0;
    double service_seconds = 0;  ///< the sum
    std::uint64_t largest_input = 0;
    std::uint64_t peak_calls = 0;  ///< most in any 60 s
    std::uint64_t peak_settled = 0;
};

/// One client's calls of one model. At most 20,000 are told apart; further ones share, for each
/// model, the client `other`.
struct Use {
    std::uint32_t model = 0;
    std::uint32_t client = 0;
    Demand demand;
};

struct Survey {
    Demand all;
    std::vector<Demand> models;      ///< by number in Names
    std::vector<Histogram> outputs;  ///< by model
    std::vector<Use> uses;
    Duration span{};             ///< from the first arrival to the last
    double longest_service = 0;  ///< seconds
    TraceNotes notes;

    /// The time that the calls stand for: the span; below a minute also one mean interval for the
    /// last call. At least one second, so that rates stay finite; a minute for a single call.
    double minutes() const;
    /// What a minute would have at the rate that was seen, over what was seen: above 1 for a trace
    /// shorter than a minute. Such a figure is an estimate.
    double to_a_minute() const { return std::max(1.0, 1 / minutes()); }
};

/// Reads the whole trace once. Memory: the calls of one minute, and what is added up.
Result<Survey> survey(const Scenario& scenario);

}  // namespace weir::plan
