// GET /explain/ID: the life of one request, as sentences and as figures.
#pragma once

#include "observe/life.h"
#include "observe/life_ring.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::observe {

/// "12.3 s", "45 ms".
std::string duration_text(Moment micros);
/// A target as people write it: "MODEL in us-east-1", with its account if that is not the default.
std::string place_text(std::string_view model, std::string_view region,
                       std::string_view account = {});

/// "tokens a minute", of the unit that the limit counts.
std::string_view limit_text(LimitKind kind);
/// Calls and not tokens.
bool counts_calls(LimitKind kind);

/// What the answers of a call came to, and what was held for them, in quota tokens.
struct Settled {
    std::uint64_t quota_tokens = 0;
    std::uint64_t reserved = 0;
    std::uint32_t answers = 0;
};
Settled settled_of(const Life& life, std::span<const Step> steps);

/// Sentences that tell it from its arrival to its end, each for itself.
std::vector<std::string> sentences(const Life& life, std::span<const Step> steps);

/// {"id", "state", "sentences": [...], "faster": [...], "request": {...}, ...}; members as in
/// docs/operations.md.
std::string explain_json(const Life& life, std::span<const std::string> other_regions);

/// Why nothing can be told of this id: what is kept, and since when.
std::string unknown_text(std::string_view id, const Kept& kept, std::int64_t started_unix_ms);

}  // namespace weir::observe
