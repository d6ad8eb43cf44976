// Limits the nesting of a JSON text before it is parsed into a tree. A tree takes about 75 bytes
// for each open bracket: 8 MB of brackets would take 600 MB.
#pragma once

#include <cstddef>
#include <string_view>

namespace weir::codec {

/// Answers of AWS services nest less than 20 deep.
inline constexpr std::size_t kMostJsonDepth = 64;

/// True if at most `most` arrays and objects are open at any place of `json`. Does not check the
/// syntax, but if this is true, a parser's tree nests at most `most` deep.
bool is_shallow_json(std::string_view json, std::size_t most = kMostJsonDepth);

}  // namespace weir::codec
