#include "codec/clean.h"

#include <simdjson.h>

#include <algorithm>

namespace weir::codec {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

/// Bytes of the character that begins with this one; 0: none does.
std::size_t character_size(unsigned char lead) {
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2) {
        return 0;
    }
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

}  // namespace

std::string_view clean_name(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    const auto end = std::ranges::find_if_not(text, is_name_character);
    return text.substr(0, std::min(static_cast<std::size_t>(end - text.begin()), kMaxName));
}

std::string_view clean_id(std::string_view text) {
    const bool visible = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
    return visible && text.size() <= kMaxId ? text : std::string_view();
}

std::string clean_text(std::string_view text) {
    std::string out;
    out.reserve(std::min(text.size(), kMaxText));
    while (!text.empty()) {
        const std::size_t size = character_size(static_cast<unsigned char>(text.front()));
        std::string_view character = text.substr(0, std::max<std::size_t>(size, 1));
        text.remove_prefix(1);
        if (size == 1) {
            if (is_control(character.front()) && character != "\n" && character != "\t") {
                character = " ";
            }
        } else if (size == 0 || character.size() < size ||
                   !simdjson::validate_utf8(character.data(), size)) {
            character = kReplacement;
        } else {
            text.remove_prefix(size - 1);
            if (character.starts_with('\xC2') && static_cast<unsigned char>(character[1]) < 0xa0) {
                character = " ";  // C1 controls
            }
        }
        if (out.size() + character.size() > kMaxText) {
            break;
        }
        out += character;
    }
    return out;
}

}  // namespace weir::codec
