// The characters of HTTP/1.1, as tables and scans of many bytes at a time. For the codec's own
// files.
#pragma once

#include "codec/lanes.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::codec::grammar {

constexpr std::array<bool, 256> make_token_table() {
    std::array<bool, 256> table{};
    for (int c = '0'; c <= '9'; ++c)
        table[c] = true;
    for (int c = 'a'; c <= 'z'; ++c)
        table[c] = table[c - 'a' + 'A'] = true;
    for (char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'})
        table[static_cast<unsigned char>(c)] = true;
    return table;
}
inline constexpr std::array<bool, 256> kToken = make_token_table();

inline bool is_token_char(char c) {
    return kToken[static_cast<unsigned char>(c)];
}
inline bool is_token(std::string_view text) {
    for (char c : text)
        if (!is_token_char(c))
            return false;
    return !text.empty();
}

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c) {
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}
inline bool is_blank(char c) {
    return c == ' ' || c == '\t';
}
inline char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

/// Where the first byte stands that is below `kFloor` or is DEL; the end if none is.
template <unsigned char kFloor>
std::size_t find_below(std::string_view text, std::size_t from) {
    return find_first(text, from, [](Lanes bytes) {
        return true_lanes(bytes < kFloor) | true_lanes(bytes == 0x7F);
    });
}

/// Where a token ends: the first byte that is no token character.
inline std::size_t find_token_end(std::string_view text, std::size_t from) {
    // All that names of real fields have; what else may stand there is looked up.
    std::size_t i = find_first(text, from, [](Lanes bytes) {
        return ~(letter_lanes(bytes) | lanes_within(bytes, '0', '9') | true_lanes(bytes == '-'));
    });
    while (i < text.size() && is_token_char(text[i]))
        ++i;
    return i;
}

/// Where a field value, chunk extension or reason ends: the first control byte that is no tab.
inline std::size_t find_control(std::string_view text, std::size_t from) {
    std::size_t i = find_below<0x20>(text, from);
    while (i < text.size() && text[i] == '\t')
        i = find_below<0x20>(text, i + 1);
    return i;
}

inline std::string_view trim_blank(std::string_view text) {
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}

/// uri-host [ ":" port ], without the escapes and sub-delims that no real host name has.
inline bool is_host(std::string_view text) {
    std::size_t i = 0;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos || end < 3)
            return false;
        for (i = 1; i < end; ++i)
            if (!is_digit(text[i]) && !is_alpha(text[i]) && text[i] != ':' && text[i] != '.' &&
                text[i] != '%' && text[i] != '-' && text[i] != '_')
                return false;
        i = end + 1;
    } else {
        while (i < text.size() && (is_digit(text[i]) || is_alpha(text[i]) || text[i] == '-' ||
                                   text[i] == '.' || text[i] == '_' || text[i] == '~'))
            ++i;
        if (i == 0)
            return false;
    }
    if (i == text.size())
        return true;
    const std::string_view port = text.substr(i + 1);
    if (text[i] != ':' || port.empty() || port.size() > 5)
        return false;
    for (char c : port)
        if (!is_digit(c))
            return false;
    return true;
}

/// Digits alone, and a number of bytes that a file offset can hold.
inline std::optional<std::uint64_t> content_length(std::string_view text) {
    constexpr std::uint64_t kMost = (std::uint64_t{1} << 63) - 1;
    std::uint64_t length = 0;
    for (char c : text) {
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (!is_digit(c) || length > (kMost - digit) / 10)
            return std::nullopt;
        length = length * 10 + digit;
    }
    return text.empty() ? std::nullopt : std::optional(length);
}

/// Gives each element of a comma-separated list, trimmed, empty ones too.
template <class Visit>
void each_element(std::string_view list, Visit visit) {
    for (;;) {
        const std::size_t comma = list.find(',');
        visit(trim_blank(list.substr(0, comma)));
        if (comma == std::string_view::npos)
            return;
        list.remove_prefix(comma + 1);
    }
}

}  // namespace weir::codec::grammar
