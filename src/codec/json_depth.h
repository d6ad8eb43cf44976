// How deep a JSON text goes, before a parser that builds a tree of it is let near: a tree takes
// some 75 bytes a bracket, so that 8 MB of them would be 600.
#pragma once

#include <cstddef>
#include <string_view>

namespace weir::codec {

/// More than any document of AWS nests.
inline constexpr std::size_t kMostJsonDepth = 64;

/// Whether no more than `most` arrays and objects of `json` stand open at once. What is no JSON
/// gets either answer; a parser that is given a text of which this is true holds no more than
/// `most`.
bool is_shallow_json(std::string_view json, std::size_t most = kMostJsonDepth);

}  // namespace weir::codec
