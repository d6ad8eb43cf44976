// Classes are counted as a staircase: how many bytes lie at or above each class's first byte, two
// instructions a step for sixteen bytes. Differences of neighbouring steps are the classes.
#include "bedrock/text_counter.h"

#include "bedrock/request.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace weir::bedrock {

namespace {

using Signed = std::int8_t __attribute__((vector_size(16)));
using Lanes = std::uint8_t __attribute__((vector_size(16)));
using Wide = std::uint16_t __attribute__((vector_size(16)));
constexpr std::size_t kLanes = 16;
constexpr std::size_t kBlock = 255;    // vectors before a lane of a sum could overflow
constexpr std::size_t kBuffer = 2048;  // bytes of unescaped text at a time

constexpr bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr bool is_punctuation(char c) {
    return static_cast<signed char>(c) > ' ' && !is_letter(c) && !(c >= '0' && c <= '9');
}

inline Lanes mask(Signed comparison) {
    return std::bit_cast<Lanes>(comparison);
}

/// Bytes as signed numbers: 0x80 to 0xff come before 0.
inline Lanes above(Signed bytes, unsigned char limit) {
    return mask(bytes > static_cast<std::int8_t>(limit));
}

std::uint64_t sum(Lanes lanes) {
    const Wide pairs = std::bit_cast<Wide>(lanes);
    const Wide sums = (pairs & 0xff) + (pairs >> 8);
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < kLanes / 2; ++i) {
        total += sums[i];
    }
    return total;
}

/// Sums over at most kBlock vectors. A comparison's "true" is -1, so they are counted by
/// subtraction.
struct Ascii {
    Lanes lower{};
    Lanes letters{};
    Lanes words{};
    Lanes digits{};
    Lanes line_ends{};
    Lanes graphic{};
    Lanes runs{};
};

/// The staircase above ASCII; each step counts all ASCII bytes too, for they are larger as signed
/// numbers.
struct High {
    Lanes accented{};
    Lanes two_byte{};
    Lanes three_byte{};
    Lanes han{};
    Lanes hangul{};
    Lanes rest{};
    Lanes four_byte{};
    Lanes ascii{};
};

/// What stood in each byte's predecessor.
inline Lanes shifted(Lanes last, Lanes now) {
    return __builtin_shufflevector(last, now, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
                                   28, 29, 30);
}

class Vectors {
public:
    Vectors(bool in_pairs, bool after_letter, bool after_punctuation) : in_pairs_(in_pairs) {
        letter_[kLanes - 1] = after_letter ? 0xff : 0;
        punctuation_[kLanes - 1] = after_punctuation ? 0xff : 0;
    }

    /// `count` vectors from `at` on, kBlock at most in all. The sums stay in registers meanwhile.
    void take(const char* at, std::size_t count) {
#ifdef __x86_64__
        if (in_pairs_ && count > 3) {
            take_pairs(at, count / 2);
            at += count / 2 * kLanes * 2;
            count %= 2;
        }
#endif
        Ascii sums = ascii_;
        Lanes last_letter = letter_;
        Lanes last_punctuation = punctuation_;
        for (; count > 0; --count, at += kLanes) {
            Signed bytes;
            std::uint64_t low;
            std::uint64_t high;
            std::memcpy(&bytes, at, kLanes);
            std::memcpy(&low, at, 8);
            std::memcpy(&high, at + 8, 8);
            const Lanes lower = above(bytes, 'a' - 1) & ~above(bytes, 'z');
            const Signed folded = bytes | 0x20;
            const Lanes letter = above(folded, 'a' - 1) & ~above(folded, 'z');
            const Lanes digit = above(bytes, '0' - 1) & ~above(bytes, '9');
            const Lanes graphic = above(bytes, ' ');
            const Lanes punctuation = graphic & ~(letter | digit);
            sums.lower -= lower;
            sums.letters -= letter;
            sums.digits -= digit;
            sums.graphic -= graphic;
            sums.line_ends -= mask(bytes == '\n') | mask(bytes == '\r');
            sums.words -= letter & ~shifted(last_letter, letter);
            sums.runs -= punctuation & ~shifted(last_punctuation, punctuation);
            last_letter = letter;
            last_punctuation = punctuation;
            if (((low | high) & 0x8080'8080'8080'8080) != 0) {
                take_high(at);
            }
        }
        ascii_ = sums;
        letter_ = last_letter;
        punctuation_ = last_punctuation;
    }

    const Ascii& ascii() const { return ascii_; }
    const High& high() const { return high_; }
    bool any_high() const { return any_high_; }
    Lanes not_ascii() const { return not_ascii_; }

private:
#ifdef __x86_64__
    /// The same for two vectors as one. Function by function in the wider set of instructions: what
    /// is called from here would be compiled for the other.
    [[gnu::target("avx2")]] void take_pairs(const char* at, std::size_t count) {
        using Pair = std::uint8_t __attribute__((vector_size(2 * kLanes)));
        using Chars = char __attribute__((vector_size(2 * kLanes)));
        constexpr int kEnd = 2 * kLanes - 1;
        Pair lower_sum{};
        Pair letter_sum{};
        Pair word_sum{};
        Pair digit_sum{};
        Pair line_end_sum{};
        Pair graphic_sum{};
        Pair run_sum{};
        Pair last_letter{};
        Pair last_punctuation{};
        last_letter[kEnd] = letter_[kLanes - 1];
        last_punctuation[kEnd] = punctuation_[kLanes - 1];
        for (; count > 0; --count, at += 2 * kLanes) {
            Pair bytes;
            std::memcpy(&bytes, at, sizeof bytes);
            const Pair lower = Pair(bytes - 'a' <= 'z' - 'a');
            const Pair letter = Pair((bytes | 0x20) - 'a' <= 'z' - 'a');
            const Pair digit = Pair(bytes - '0' <= 9);
            const Pair graphic = Pair(bytes - '!' <= 0x7f - '!');
            const Pair punctuation = graphic & ~(letter | digit);
            lower_sum -= lower;
            letter_sum -= letter;
            digit_sum -= digit;
            graphic_sum -= graphic;
            line_end_sum -= Pair(bytes == '\n') | Pair(bytes == '\r');
            word_sum -= letter & ~__builtin_shufflevector(last_letter, letter, 31, 32, 33, 34, 35,
                                                          36, 37, 38, 39, 40, 41, 42, 43, 44, 45,
                                                          46, 47, 48, 49, 50, 51, 52, 53, 54, 55,
                                                          56, 57, 58, 59, 60, 61, 62);
            run_sum -= punctuation & ~__builtin_shufflevector(
                                         last_punctuation, punctuation, 31, 32, 33, 34, 35, 36, 37,
                                         38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
                                         53, 54, 55, 56, 57, 58, 59, 60, 61, 62);
            last_letter = letter;
            last_punctuation = punctuation;
            if (__builtin_ia32_pmovmskb256(Chars(bytes)) != 0) {
                take_high(at);
                take_high(at + kLanes);
            }
        }
        // Half as many of them fill a lane half as much.
        const auto add = [](Lanes& sum, const void* pair) {
            std::array<Lanes, 2> halves;
            std::memcpy(halves.data(), pair, sizeof halves);
            sum += halves[0] + halves[1];
        };
        add(ascii_.lower, &lower_sum);
        add(ascii_.letters, &letter_sum);
        add(ascii_.words, &word_sum);
        add(ascii_.digits, &digit_sum);
        add(ascii_.line_ends, &line_end_sum);
        add(ascii_.graphic, &graphic_sum);
        add(ascii_.runs, &run_sum);
        letter_[kLanes - 1] = last_letter[kEnd];
        punctuation_[kLanes - 1] = last_punctuation[kEnd];
    }
#endif

    void take_high(const char* at) {
        Signed bytes;
        std::memcpy(&bytes, at, kLanes);
        any_high_ = true;
        high_.accented -= above(bytes, 0xbf);
        high_.two_byte -= above(bytes, 0xcb);
        high_.three_byte -= above(bytes, 0xdf);
        high_.han -= above(bytes, 0xe2);
        high_.hangul -= above(bytes, 0xe9);
        high_.rest -= above(bytes, 0xed);
        high_.four_byte -= above(bytes, 0xef);
        high_.ascii -= above(bytes, 0xff);
        not_ascii_ -= ~above(bytes, 0xff);
    }

    Ascii ascii_;
    High high_;
    Lanes not_ascii_{};
    Lanes letter_{};
    Lanes punctuation_{};
    bool any_high_ = false;
    [[maybe_unused]] bool in_pairs_;
};

/// One character of \uXXXX, or of two of them that are a pair of surrogates, as UTF-8. Half a pair
/// stands for the replacement character, as readers make of it.
struct Escaped {
    std::array<char, 4> bytes;
    std::size_t size;
    std::size_t taken;  // of the raw text
};

std::uint32_t unit_at(std::string_view hex) {
    std::uint32_t unit = 0;
    for (const char c : hex) {
        const auto lower = static_cast<unsigned>(c | 0x20);
        unit = unit * 16 + (lower >= 'a' ? lower - 'a' + 10 : lower - '0') % 16;
    }
    return unit;
}

Escaped unescape_unit(std::string_view raw) {
    std::uint32_t code = unit_at(raw.substr(2, 4));
    std::size_t taken = 6;
    if (code >= 0xd800 && code < 0xe000) {
        const bool pair = code < 0xdc00 && raw.size() >= 12 && raw.substr(6, 2) == "\\u";
        const std::uint32_t second = pair ? unit_at(raw.substr(8, 4)) : 0;
        if (second >= 0xdc00 && second < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
            taken = 12;
        } else {
            code = 0xfffd;
        }
    }
    const auto tail = [&](unsigned shift) {
        return static_cast<char>(0x80 | ((code >> shift) & 0x3f));
    };
    if (code < 0x80) {
        return {{static_cast<char>(code)}, 1, taken};
    }
    if (code < 0x800) {
        return {{static_cast<char>(0xc0 | (code >> 6)), tail(0)}, 2, taken};
    }
    if (code < 0x10000) {
        return {{static_cast<char>(0xe0 | (code >> 12)), tail(6), tail(0)}, 3, taken};
    }
    return {{static_cast<char>(0xf0 | (code >> 18)), tail(12), tail(6), tail(0)}, 4, taken};
}

Escaped unescape(std::string_view raw) {
    switch (raw[1]) {
        case 'u':
            return raw.size() >= 6 ? unescape_unit(raw) : Escaped{{'u'}, 1, raw.size()};
        case 'n':
            return {{'\n'}, 1, 2};
        case 'r':
            return {{'\r'}, 1, 2};
        case 't':
        case 'b':
        case 'f':
            return {{'\t'}, 1, 2};
        default:
            return {{raw[1]}, 1, 2};
    }
}

}  // namespace

bool TextCounter::can_pair() {
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") > 0;
#else
    return false;
#endif
}

void TextCounter::count(InputClass cls, std::uint64_t n) {
    std::uint32_t& at = count_of(counts_, cls);
    at = static_cast<std::uint32_t>(std::min<std::uint64_t>(at + n, ~std::uint32_t{0}));
}

void TextCounter::add_tokens(InputClass cls, double tokens) {
    count(cls, static_cast<std::uint64_t>(std::ceil(tokens)));
}

void TextCounter::add_part(std::string_view part, Before& before) {
    while (!part.empty()) {
        Vectors vectors(in_pairs_, before.letter, before.punctuation);
        const std::size_t size = std::min(part.size(), kBlock * kLanes);
        const std::size_t at = size / kLanes * kLanes;
        vectors.take(part.data(), size / kLanes);
        if (at < size) {
            std::array<char, kLanes> last{};  // zeroes, which no step counts
            std::memcpy(last.data(), part.data() + at, size - at);
            vectors.take(last.data(), 1);
        }
        const Ascii& a = vectors.ascii();
        const std::uint64_t lower = sum(a.lower);
        const std::uint64_t letters = sum(a.letters);
        const std::uint64_t digits = sum(a.digits);
        const std::uint64_t graphic = sum(a.graphic);
        const std::uint64_t line_ends = sum(a.line_ends);
        std::uint64_t not_ascii = 0;
        if (vectors.any_high()) {
            const High& h = vectors.high();
            const std::uint64_t two_byte = sum(h.two_byte);
            const std::uint64_t three_byte = sum(h.three_byte);
            const std::uint64_t han = sum(h.han);
            const std::uint64_t hangul = sum(h.hangul);
            const std::uint64_t rest = sum(h.rest);
            const std::uint64_t four_byte = sum(h.four_byte);
            not_ascii = sum(vectors.not_ascii());
            count(InputClass::accented, sum(h.accented) - two_byte);
            count(InputClass::two_byte, two_byte - three_byte);
            count(InputClass::han, han - hangul);
            count(InputClass::hangul, hangul - rest);
            count(InputClass::three_byte, three_byte - han + rest - four_byte);
            count(InputClass::four_byte, four_byte - sum(h.ascii));
        }
        count(InputClass::lower, lower);
        count(InputClass::upper, letters - lower);
        count(InputClass::words, sum(a.words));
        count(InputClass::digits, digits);
        count(InputClass::punctuation, graphic - letters - digits);
        count(InputClass::punctuation_runs, sum(a.runs));
        count(InputClass::line_ends, line_ends);
        count(InputClass::spaces, size - (graphic + line_ends + not_ascii));
        before.letter = is_letter(part[size - 1]);
        before.punctuation = is_punctuation(part[size - 1]);
        part.remove_prefix(size);
    }
}

void TextCounter::add(std::string_view utf8) {
    Before before;
    add_part(utf8, before);
}

void TextCounter::add_json(std::string_view raw) {
    Before before;
    auto slash = raw.find('\\');
    if (slash == std::string_view::npos) {
        add_part(raw, before);
        return;
    }
    // Between escapes a text is short: it is put together first and counted in long vectors.
    std::array<char, kBuffer> buffer;
    std::size_t size = 0;
    const auto put = [&](std::string_view text) {
        while (!text.empty()) {
            if (size == kBuffer) {
                add_part({buffer.data(), size}, before);
                size = 0;
            }
            const std::size_t n = std::min(text.size(), kBuffer - size);
            std::memcpy(buffer.data() + size, text.data(), n);
            size += n;
            text.remove_prefix(n);
        }
    };
    while (slash != std::string_view::npos && slash + 1 < raw.size()) {
        put(raw.substr(0, slash));
        const Escaped character = unescape(raw.substr(slash));
        put({character.bytes.data(), character.size});
        raw.remove_prefix(slash + character.taken);
        slash = raw.find('\\');
    }
    put(raw);
    add_part({buffer.data(), size}, before);
}

double estimate_json_tokens(std::string_view raw) {
    TextCounter counter;
    counter.add_json(raw);
    return prior_tokens(counter.counts());
}

double estimate_tokens(std::string_view utf8) {
    TextCounter counter;
    counter.add(utf8);
    return prior_tokens(counter.counts());
}

}  // namespace weir::bedrock
