// The service tier that a call asks for, and the one that an answer names.
#pragma once

#include "bedrock/json.h"
#include "bedrock/operation.h"
#include "codec/http1.h"

#include <weir/types.h>

#include <optional>
#include <string_view>

namespace weir::bedrock {

/// What a body's or a header's `word` asks for; empty: the default tier. nullopt: weir does not
/// know it.
std::optional<Tier> tier_named(std::string_view word);

/// Of a body's member: a word, or `{"type": "flex"}`.
std::optional<Tier> tier_in(ondemand::value& value);

/// What an answer's head names; unset: nothing that weir knows.
Tier served_tier(const codec::Head& head);

/// The member of a body that names it.
constexpr std::string_view tier_member(Operation operation) {
    return names_model_in_body(operation) ? "service_tier" : "serviceTier";
}

}  // namespace weir::bedrock
