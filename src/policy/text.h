// Texts of settings and header fields.
#pragma once

#include <optional>
#include <string_view>

namespace weir::policy {

/// Without the spaces and tabs around it.
inline std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string_view::npos
               ? std::string_view()
               : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The byte that `text` begins with as `%41` (RFC 3986, 2.1); nothing where it begins otherwise.
inline std::optional<char> percent_octet(std::string_view text) {
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9')
            return c - '0';
        const char lower = static_cast<char>(c | 0x20);
        return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
    };
    if (text.size() < 3 || text[0] != '%' || digit(text[1]) < 0 || digit(text[2]) < 0)
        return std::nullopt;
    return static_cast<char>(digit(text[1]) * 16 + digit(text[2]));
}

}  // namespace weir::policy
