#include "codec/hex.h"

#include "codec/http1_grammar.h"

#include <array>

namespace weir::codec {

namespace {

using grammar::is_alpha;
using grammar::is_digit;

constexpr std::array<bool, 256> make_unreserved() {
    std::array<bool, 256> table{};
    for (std::size_t c = 0; c < 128; ++c) {
        const char letter = static_cast<char>(c);
        table[c] = is_alpha(letter) || is_digit(letter) || letter == '-' || letter == '.' ||
                   letter == '_' || letter == '~';
    }
    return table;
}
constexpr std::array<bool, 256> kUnreserved = make_unreserved();

}  // namespace

std::string percent_decoded(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
            hex_value(text[i + 2]) >= 0) {
            out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

void append_percent_encoded(std::string& out, std::string_view text, bool keep_slash) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::size_t plain = 0;  // start of what goes in as it is
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (kUnreserved[byte] || (keep_slash && byte == '/')) {
            continue;
        }
        out.append(text, plain, i - plain);
        plain = i + 1;
        out += '%';
        out += kDigits[byte >> 4];
        out += kDigits[byte & 0xF];
    }
    out.append(text, plain);
}

std::string percent_encoded(std::string_view text) {
    std::string out;
    append_percent_encoded(out, text);
    return out;
}

}  // namespace weir::codec
