// Budgets that would not hold as they read.
#pragma once

#include <weir/config.h>

#include <vector>

namespace weir::cli {

/// Of a good configuration: budgets of clients that need no key, and of clients whose routes lead
/// to models without a price.
std::vector<Problem> budget_doubts(const Config& config);

}  // namespace weir::cli
