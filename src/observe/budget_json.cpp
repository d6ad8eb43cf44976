#include "observe/budget_json.h"

#include "observe/status_json.h"

#include <algorithm>
#include <cmath>

namespace weir::observe {
namespace {

using nlohmann::ordered_json;

/// To the millionth, so that sums of binary fractions do not show.
double rounded(double dollars) {
    return std::round(dollars * 1e6) / 1e6;
}

ordered_json standing_json(const std::optional<policy::BudgetStanding>& standing, double warn_at) {
    if (!standing) {
        return {};
    }
    return {{"usd", standing->budget},
            {"spent_usd", rounded(standing->spent)},
            {"under_way_usd", rounded(standing->under_way)},
            {"state", to_string(standing->settled_state(warn_at))},
            {"renews_at", iso_time(standing->renews_at * 1000)}};
}

}  // namespace

ordered_json budget_json(const policy::BudgetStatus& budget) {
    const double warn_at = budget.config.warn_at;
    auto state = policy::BudgetState::fine;
    for (const auto& standing : {budget.day, budget.month}) {
        if (standing) {
            state = std::max(state, standing->settled_state(warn_at));
        }
    }
    return {{"state", to_string(state)},
            {"then", policy::to_string(budget.config.then)},
            {"day", standing_json(budget.day, warn_at)},
            {"month", standing_json(budget.month, warn_at)},
            {"shared", budget.shared}};
}

}  // namespace weir::observe
