// What a request has cost, and what weir has saved by it, for the ledger.
#pragma once

#include "observe/costs.h"

#include <weir/time.h>
#include <weir/types.h>

#include <cstdint>
#include <optional>

namespace weir::gateway {

struct Record;
struct Request;

/// All tokens together.
std::uint64_t total_of(const Usage& usage);

/// The service tier that the call itself asks for; nullopt: one that weir does not know.
std::optional<Tier> asked_tier(const Request& request);

/// Of one answer, or of an attempt that may have had one; nothing where no model runs.
observe::Costs costs_of(const Target& at, const Usage& usage, const Request& request);
/// The last attempt's, with what was saved. `requests` is 0 where nothing was answered or paid for:
/// then nothing else is set either.
observe::Costs costs_of(const Record& record, const Request& request, Instant now);

}  // namespace weir::gateway
