// The ledger as the text of its file and as JSON for people's tools.
#pragma once

#include "observe/ledger_days.h"

#include <weir/result.h>

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::observe {

/// `name`: LedgerBook::name().
std::string ledger_text(const LedgerDays& days, std::string_view name = {});
/// The error says why the text is of no use.
/// `name` becomes empty where the text has none that is good.
Result<LedgerDays> parse_ledger(std::string_view text, std::string* name = nullptr);

struct CostsQuery {
    Day from = 0;
    Day to = 0;  ///< included
    std::vector<CostGroup> by = {};
};

/// "7d": seven days with today; "2026-11-01": from that day on; "month": from the first of this
/// one; empty: seven days.
std::optional<Day> first_day(std::string_view since, Day today);
/// "client,model"; empty: by client and model. The error says what is allowed.
Result<CostsQuery> costs_query(std::string_view since, std::string_view by, Day today);

/// Rows, their sum, what has no price, and what weir has saved, each with its arithmetic.
nlohmann::ordered_json costs_json(const LedgerDays& days, const CostsQuery& query);

}  // namespace weir::observe
