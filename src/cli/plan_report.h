// What `weir plan` found, for people, for programs and as a picture.
#pragma once

#include "cli/plan_setup.h"
#include "plan/advice.h"
#include "plan/result.h"

#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

/// One strategy's outcome and what it took.
struct PlanRow {
    plan::Outcome outcome;
    double seconds = 0;  ///< of this machine, to play it
};

struct PlanFindings {
    std::vector<PlanRow> rows;  ///< weir first
    plan::Bound bound;
    plan::Advice advice;
    /// Weir with more behind each model. Unset: nothing was left over, or there is nothing to add.
    std::optional<PlanRow> second_region;
    std::string second_region_name;
    std::optional<PlanRow> fallback;
    std::string fallback_name;
};

std::string plan_text(const PlanOptions& options, const PlanSetup& setup,
                      const PlanFindings& findings);
std::string plan_json(const PlanOptions& options, const PlanSetup& setup,
                      const PlanFindings& findings);
/// Three panels over time: tokens in the window, waiting calls, refusals.
std::string plan_svg(const PlanSetup& setup, const PlanFindings& findings);

/// The strategy's use of a pool: settled tokens over quota, over the time that it played. Unset: no
/// quota.
std::optional<double> quota_use(const plan::Outcome& outcome, const plan::Service::PoolReport& pool,
                                const plan::ServiceSetup& service);

/// A row of the table of clients or models.
struct PlanShare {
    std::string name;
    plan::Tally tally;
};
/// By falling tokens, 200 at most, the rest as `other`.
std::vector<PlanShare> shares_of(const std::vector<plan::Tally>& tallies, const plan::Names& names,
                                 const std::string& unnamed);

}  // namespace weir::cli
