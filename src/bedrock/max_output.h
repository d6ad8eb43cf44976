// Where each body language keeps the most it may answer.
#pragma once

#include "bedrock/operation.h"

#include <weir/models.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::bedrock {

/// A member at the top whose own members may hold the number; empty: there is none.
std::string_view max_output_container(Operation operation, Family family);

/// Is this the name of the number, at the top or inside the container?
bool is_max_output(Operation operation, Family family, std::string_view name, bool in_container);

/// The number as the service would take it: a plain integer, at most 10^9. Anything else is for the
/// service to refuse.
std::optional<std::uint64_t> usable_max_output(std::string_view token);

}  // namespace weir::bedrock
