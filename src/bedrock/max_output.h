// Where each body language has its maximum of output tokens.
#pragma once

#include "bedrock/operation.h"

#include <weir/models.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::bedrock {

/// A member at the top whose own members may hold the number; empty: there is none.
std::string_view max_output_container(Operation operation, Family family);

/// True for the name of the number, at the top or inside the container.
bool is_max_output(Operation operation, Family family, std::string_view name, bool in_container);

/// Converse hands the members of this one to the model as they are.
inline constexpr std::string_view kAdditionalFields = "additionalModelRequestFields";

/// True for the name of the number, or of its container, in the language of any family.
bool is_any_max_output(std::string_view name);
bool is_any_container(std::string_view name);

/// The number as the service reads it, fractions and exponents included, rounded up; at most 10^9.
/// nullopt: no number, or one that the service refuses.
std::optional<std::uint64_t> usable_max_output(std::string_view token);

}  // namespace weir::bedrock
