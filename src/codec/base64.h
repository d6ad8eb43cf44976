// Base64 of the standard alphabet, in one piece.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::codec {

/// Appends the decoded bytes of `text`, up to the first invalid character; an incomplete last group
/// gives its complete bytes. Returns how many characters of `text` were valid.
std::size_t append_base64_decoded(std::string& out, std::string_view text);
/// With `=` at the end of an incomplete last group.
void append_base64(std::string& out, std::string_view bytes);
std::string base64_encoded(std::string_view bytes);

}  // namespace weir::codec
