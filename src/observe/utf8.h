// Where a valid UTF-8 character ends, for writers that must not pass on what is not text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::observe {

struct Character {
    std::size_t size = 0;  // bytes; 0: not valid UTF-8 at this place
    bool control = false;  // C0, DEL or C1
};

/// Reads the character at the start of `text`, which must not be empty. Over-long forms, surrogates
/// and what lies beyond U+10FFFF are not valid.
inline Character character_at(std::string_view text) {
    const auto byte = [text](std::size_t i) {
        return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
    };
    const auto tail = [&byte](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80) {
        return {1, lead < 0x20 || lead == 0x7F};
    }
    if (lead >= 0xC2 && lead <= 0xDF) {
        return tail(1) ? Character{2, lead == 0xC2 && byte(1) < 0xA0} : Character{};
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        const bool over_long = lead == 0xE0 && byte(1) < 0xA0;
        const bool surrogate = lead == 0xED && byte(1) >= 0xA0;
        return tail(1) && tail(2) && !over_long && !surrogate ? Character{3, false} : Character{};
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const bool over_long = lead == 0xF0 && byte(1) < 0x90;
        const bool beyond = lead == 0xF4 && byte(1) >= 0x90;
        return tail(1) && tail(2) && tail(3) && !over_long && !beyond ? Character{4, false}
                                                                      : Character{};
    }
    return {};
}

}  // namespace weir::observe
