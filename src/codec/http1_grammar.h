// The characters of HTTP/1.1, as tables and word-at-a-time scans. For the codec's own files.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
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
/// Eight bytes a step: a head is mostly values, and this is what makes reading it cheap.
template <unsigned char kFloor>
std::size_t find_below(std::string_view text, std::size_t from) {
    constexpr std::uint64_t kOnes = 0x0101010101010101U;
    constexpr std::uint64_t kHigh = 0x8080808080808080U;
    const auto hits_at = [text](std::size_t at) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + at, 8);
        // A borrow may mark bytes above a true hit, never below, so the lowest mark is exact.
        const std::uint64_t below = (word - kOnes * kFloor) & ~word & kHigh;
        const std::uint64_t flipped = word ^ (kOnes * 0x7F);
        return below | ((flipped - kOnes) & ~flipped & kHigh);
    };
    std::size_t i = from;
    if constexpr (std::endian::native == std::endian::little) {
        const std::size_t size = text.size();
        for (; i + 8 <= size; i += 8)
            if (const std::uint64_t hits = hits_at(i); hits != 0)
                return i + (std::countr_zero(hits) / 8);
        if (i < size && size >= from + 8) {  // what is looked at again has no hit
            const std::uint64_t hits = hits_at(size - 8);
            return hits != 0 ? size - 8 + (std::countr_zero(hits) / 8) : size;
        }
    }
    for (; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < kFloor || c == 0x7F)
            return i;
    }
    return text.size();
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
