// The answer to GET /costs.
#pragma once

#include "gateway/admin.h"
#include "observe/ledger_days.h"

#include <cstdint>
#include <string_view>

namespace weir::gateway {

/// `query`: since and by, as observe::costs_query() has them.
CostsReply costs_reply(const observe::LedgerDays& days, std::string_view query,
                       std::int64_t unix_seconds);

}  // namespace weir::gateway
