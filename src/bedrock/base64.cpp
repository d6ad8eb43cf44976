#include "bedrock/base64.h"

#include <array>
#include <cstdint>

namespace weir::bedrock {

namespace {

constexpr std::uint8_t kOther = 0xff;

consteval std::array<std::uint8_t, 256> make_values() {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::array<std::uint8_t, 256> values{};
    values.fill(kOther);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}

constexpr auto kValues = make_values();

}  // namespace

void append_base64_decoded(std::string& out, std::string_view text) {
    out.reserve(out.size() + text.size() / 4 * 3 + 3);
    std::uint32_t bits = 0;
    int held = 0;
    for (const char c : text) {
        const std::uint8_t value = kValues[static_cast<unsigned char>(c)];
        if (value == kOther) {
            return;
        }
        bits = bits << 6 | value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out.push_back(static_cast<char>(bits >> held));
        }
    }
}

}  // namespace weir::bedrock
