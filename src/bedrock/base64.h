// Base64 as InvokeModel's chunks carry it: the standard alphabet, in one piece.
#pragma once

#include <string>
#include <string_view>

namespace weir::bedrock {

/// Appends what `text` stands for, up to the first character that does not belong; an incomplete
/// last group gives the bytes it has.
void append_base64_decoded(std::string& out, std::string_view text);

}  // namespace weir::bedrock
