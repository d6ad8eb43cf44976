// Budgets as GET /status and GET /events have them.
#pragma once

#include "policy/budget.h"

#include <nlohmann/json.hpp>

namespace weir::observe {

/// {"state", "then", "day": {"usd", "spent_usd", ...} or null, "month", "shared"}.
nlohmann::ordered_json budget_json(const policy::BudgetStatus& budget);

}  // namespace weir::observe
