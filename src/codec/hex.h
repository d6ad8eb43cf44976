// Hexadecimal digits, and the percent-encoding of URLs.
#pragma once

#include <string>
#include <string_view>

namespace weir::codec {

inline constexpr std::string_view kHexDigits = "0123456789abcdef";

/// Of either case; -1: no digit.
constexpr int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// An escape that is none stays as it is.
std::string percent_decoded(std::string_view text);

/// All but letters, digits and "-._~" becomes an escape (RFC 3986, 2.3), as SigV4 has it too.
std::string percent_encoded(std::string_view text);
void append_percent_encoded(std::string& out, std::string_view text, bool keep_slash = false);

}  // namespace weir::codec
