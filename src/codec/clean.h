// Cleans text of an upstream or a client for heads, logs and JSON: once, where it is read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::codec {

inline constexpr std::size_t kMaxName = 128;
inline constexpr std::size_t kMaxId = 256;
inline constexpr std::size_t kMaxText = 4'096;

/// The name at the front of `text`: letters, digits, '_', '-' and '.', at most kMaxName. The rest
/// is cut off, because a line end may begin an injected field. Leading blanks are skipped.
std::string_view clean_name(std::string_view text);

/// `text` if it can be an identifier: visible ASCII, not empty, at most kMaxId. Else empty, because
/// a part of an identifier is another identifier.
std::string_view clean_id(std::string_view text);

/// Valid UTF-8 of at most kMaxText bytes, cut between characters. Control characters other than LF
/// and tab become spaces, bytes that are no UTF-8 become U+FFFD.
std::string clean_text(std::string_view text);

}  // namespace weir::codec
