// Tokens as fixed-point sums, so that a vector of bytes is weighed with additions alone.
#pragma once

#include "bedrock/request.h"

#include <cstdint>
#include <string_view>

namespace weir::bedrock {

/// One token; the heaviest byte class, times this, fits in eight bits.
inline constexpr std::uint32_t kWeightOne = 64;

constexpr std::uint64_t tokens(double count) {
    return static_cast<std::uint64_t>(count * kWeightOne);
}

/// `estimate_tokens` before the division.
std::uint64_t weigh(std::string_view text);

/// The same for JSON as written: an escape weighs what it stands for. Clients that write every
/// character above ASCII as \uXXXX (Python's default) would otherwise count double.
std::uint64_t weigh_json(std::string_view raw);

}  // namespace weir::bedrock
