// The prior of the token estimate: so much a byte, by the class of the byte.
//
// Chosen so that what Claude's tokenizer makes of common text comes out right or a little high
// (tokens a byte, by published counts and by hand): English prose about 0.23-0.25, code 0.30-0.35,
// minified JSON 0.35-0.40, Chinese and Japanese 1.1-1.3 a character, Cyrillic about 0.45 a
// character, emoji 2-3 each. Other tokenizers, and the newer of Claude's own, differ by up to a
// third: the engine learns that ratio per model, so here the classes only have to stand in the
// right proportion to each other.
#include "bedrock/token_weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace weir::bedrock {

namespace {

constexpr double kLower = 0.235;       // a word of 4-5 letters and its space: 1.2 tokens
constexpr double kUpper = 0.40;        // starts words in names, and fills encoded data
constexpr double kSpace = 0.10;        // mostly part of the next word; indentation merges
constexpr double kLineEnd = 0.50;      // a token of its own, or half of one with what follows
constexpr double kDigit = 0.50;        // groups of one to three
constexpr double kPunctuation = 0.75;  // often alone, sometimes merged as in `":"`
constexpr double kTwoByte = 0.60;      // accents break words; Cyrillic, Greek, Arabic, Hebrew
constexpr double kCjk = 1.25;          // per character: Han, kana, Hangul
constexpr double kThreeByte = 1.50;    // typographic signs 1; Indic and Thai letters more
constexpr double kFourByte = 3.00;     // emoji, rare ideographs

using Table = std::array<std::uint8_t, 256>;

constexpr std::uint8_t fixed(double weight) {
    return static_cast<std::uint8_t>(weight * kWeightOne + 0.5);
}

consteval Table make_table() {
    Table table{};
    for (unsigned c = 0; c < 256; ++c) {
        double weight = 0;  // continuation bytes: the lead byte carries the character
        if (c == '\n' || c == '\r') {
            weight = kLineEnd;
        } else if (c <= ' ') {
            weight = kSpace;
        } else if (c >= 'a' && c <= 'z') {
            weight = kLower;
        } else if (c >= 'A' && c <= 'Z') {
            weight = kUpper;
        } else if (c >= '0' && c <= '9') {
            weight = kDigit;
        } else if (c < 0x80) {
            weight = kPunctuation;
        } else if (c >= 0xf0) {
            weight = kFourByte;
        } else if (c >= 0xe3 && c <= 0xed) {
            weight = kCjk;
        } else if (c >= 0xe0) {
            weight = kThreeByte;
        } else if (c >= 0xc0) {
            weight = kTwoByte;
        }
        table[c] = fixed(weight);
    }
    return table;
}

constexpr Table kWeights = make_table();

// Sixteen bytes at a time. As signed numbers bytes run from 0x80 up to 0xff and on to 0x7f, and in
// that order the table is a staircase: the weight of a byte is the sum of the steps at or below it.
using Signed = std::int8_t __attribute__((vector_size(16)));
using Lanes = std::uint8_t __attribute__((vector_size(16)));
using Wide = std::uint16_t __attribute__((vector_size(16)));
constexpr std::size_t kLanes = 16;
constexpr std::size_t kBlock = 128;  // vectors before a 16-bit sum of two weights could overflow

template <int kFirst>
inline Lanes step(Signed bytes) {
    constexpr int kRise = kWeights[kFirst] - kWeights[kFirst - 1];
    constexpr auto kAbove = static_cast<std::int8_t>(kFirst - 1);
    return std::bit_cast<Lanes>(bytes > kAbove) & static_cast<std::uint8_t>(kRise);
}

template <int kByte>
inline Lanes apart(Signed bytes) {
    constexpr int kExtra = kWeights[kByte] - kWeights[' '];
    return std::bit_cast<Lanes>(bytes == static_cast<std::int8_t>(kByte)) &
           static_cast<std::uint8_t>(kExtra);
}

inline Lanes ascii_steps(Signed bytes) {
    return (step<'!'>(bytes) + step<'0'>(bytes) + step<':'>(bytes) + step<'A'>(bytes)) +
           (step<'['>(bytes) + step<'a'>(bytes) + step<'{'>(bytes)) +
           (apart<'\n'>(bytes) + apart<'\r'>(bytes));
}

inline Lanes any_steps(Signed bytes) {
    // 0 is a step down from 0xff: it takes back what the lead bytes added.
    constexpr auto kBack = static_cast<std::uint8_t>(kWeights[0] - kWeights[0xff]);
    constexpr std::int8_t kNegative = -1;
    return ascii_steps(bytes) + (step<0xc0>(bytes) + step<0xe0>(bytes) + step<0xe3>(bytes)) +
           (step<0xee>(bytes) + step<0xf0>(bytes)) +
           (std::bit_cast<Lanes>(bytes > kNegative) & kBack);
}

std::uint64_t weigh_vectors(const unsigned char* at, std::size_t count) {
    Wide sums{};
    for (; count > 0; --count, at += kLanes) {
        Signed bytes;
        std::uint64_t low;
        std::uint64_t high;
        std::memcpy(&bytes, at, kLanes);
        std::memcpy(&low, at, 8);
        std::memcpy(&high, at + 8, 8);
        const bool ascii = ((low | high) & 0x8080'8080'8080'8080) == 0;
        const Lanes weights = ascii ? ascii_steps(bytes) + kWeights[' '] : any_steps(bytes);
        const Wide pairs = std::bit_cast<Wide>(weights);
        sums += (pairs & 0xff) + (pairs >> 8);
    }
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kLanes / 2; ++i) {
        sum += sums[i];
    }
    return sum;
}

/// Weight of \uXXXX; surrogates count at their first half.
std::uint32_t escaped_unit(std::string_view hex) {
    unsigned unit = 0;
    for (const char c : hex) {
        const auto lower = static_cast<unsigned>(c | 0x20);
        unit = unit * 16 + (lower >= 'a' ? lower - 'a' + 10 : lower - '0') % 16;
    }
    if (unit < 0x80) {
        return kWeights[unit];
    }
    if (unit < 0x800) {
        return fixed(kTwoByte);
    }
    if (unit >= 0xd800 && unit < 0xe000) {
        return unit < 0xdc00 ? fixed(kFourByte) : 0;
    }
    return kWeights[0xe0 | (unit >> 12)];
}

}  // namespace

std::uint64_t weigh(std::string_view text) {
    const auto* at = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t left = text.size();
    std::uint64_t sum = 0;
    while (left >= kLanes) {
        const std::size_t vectors = std::min(left / kLanes, kBlock);
        sum += weigh_vectors(at, vectors);
        at += vectors * kLanes;
        left -= vectors * kLanes;
    }
    for (; left > 0; --left, ++at) {
        sum += kWeights[*at];
    }
    return sum;
}

std::uint64_t weigh_json(std::string_view raw) {
    std::uint64_t sum = 0;
    while (true) {
        const auto slash = raw.find('\\');
        if (slash == std::string_view::npos || slash + 1 >= raw.size()) {
            return sum + weigh(raw);
        }
        sum += weigh(raw.substr(0, slash));
        const char kind = raw[slash + 1];
        std::size_t size = 2;
        if (kind == 'u' && raw.size() - slash >= 6) {
            sum += escaped_unit(raw.substr(slash + 2, 4));
            size = 6;
        } else if (kind == 'n' || kind == 'r') {
            sum += kWeights['\n'];
        } else if (kind == 't' || kind == 'b' || kind == 'f') {
            sum += kWeights[' '];
        } else {
            sum += kWeights['"'];
        }
        raw.remove_prefix(slash + size);
    }
}

double estimate_tokens(std::string_view utf8) {
    return static_cast<double>(weigh(utf8)) / kWeightOne;
}

}  // namespace weir::bedrock
