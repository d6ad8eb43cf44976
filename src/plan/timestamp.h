// Points in time as traces write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::plan {

/// Nanoseconds since 1970 of `2023-11-16 18:17:03.9799600`: ISO 8601 with `T` or a space, any
/// number of fraction digits, and optionally `Z` or an offset such as `+02:00`; without one, UTC.
/// nullopt: it is none, or lies outside the years 1970 to 2261.
std::optional<std::int64_t> parse_iso_time(std::string_view text);

/// `text` times 10^`digits` as a whole number: 12.5 with 9 digits is 12500000000. What lies beyond
/// the digits is cut off. nullopt: it is no plain decimal number from 0 on, or too large.
std::optional<std::int64_t> parse_scaled(std::string_view text, int digits);

}  // namespace weir::plan
