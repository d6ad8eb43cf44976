// The parts of a prompt, counted from its bytes: the basis of every token estimate.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace weir {

/// Classes of a prompt's parts. Most count characters; `words` and `punctuation_runs` count where
/// a run of its kind begins, which is nearer to what tokenizers do than bytes are. `frame` and
/// `media` count tokens: what the service's rules make of messages, tools, images and documents.
enum class InputClass : std::uint8_t {
    lower,             ///< a to z
    upper,             ///< A to Z
    words,             ///< runs of ASCII letters
    spaces,            ///< space, tab and other control characters
    line_ends,         ///< LF, CR
    digits,            ///< 0 to 9
    punctuation,       ///< other printable ASCII
    punctuation_runs,  ///< runs of it
    accented,          ///< 2-byte characters up to U+02FF: Latin letters and signs
    two_byte,          ///< the other 2-byte ones: Greek, Cyrillic, Hebrew, Arabic
    han,               ///< U+3000 to U+9FFF: Han, kana and their punctuation
    hangul,            ///< U+A000 to U+DFFF, nearly all of it Hangul
    three_byte,        ///< the other 3-byte ones: Indic scripts, Thai, typographic signs
    four_byte,         ///< emoji, rare ideographs
    frame,             ///< tokens for the request itself, its messages and its tools
    media,             ///< tokens for images, documents, video and sound
};
constexpr std::size_t kInputClasses = 16;

/// By InputClass. All zero: not counted.
using InputCounts = std::array<std::uint32_t, kInputClasses>;

/// Tokens for one of each class, before anything is known of a model. Fitted to a published
/// tokenizer of Claude and to cl100k_base over the texts in tests/bench/corpus, and rounded; other
/// tokenizers differ by a third, which is what the engine learns.
constexpr std::array<double, kInputClasses> kInputPrior = {
    0.095, 0.24, 0.55, 0.13, 0.60, 0.58, 0.18, 0.58,  // ASCII
    1.80,  0.68, 1.05, 1.30, 1.10, 3.00,              // other characters
    1.00,  1.00};                                     // already tokens

constexpr double prior_tokens(const InputCounts& counts) {
    double sum = 0;
    for (std::size_t i = 0; i < kInputClasses; ++i) {
        sum += counts[i] * kInputPrior[i];
    }
    return sum;
}

constexpr std::uint32_t& count_of(InputCounts& counts, InputClass cls) {
    return counts[static_cast<std::size_t>(cls)];
}

/// A sum that would overflow stays at the largest number.
constexpr void add(InputCounts& to, const InputCounts& more) {
    for (std::size_t i = 0; i < kInputClasses; ++i) {
        to[i] = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(std::uint64_t{to[i]} + more[i], ~std::uint32_t{0}));
    }
}

/// What `whole` has more than `part`; nothing where it has less.
constexpr InputCounts rest_of(const InputCounts& whole, const InputCounts& part) {
    InputCounts rest{};
    for (std::size_t i = 0; i < kInputClasses; ++i) {
        rest[i] = whole[i] - std::min(whole[i], part[i]);
    }
    return rest;
}

/// A place in a conversation where an earlier request may have ended: after its system prompt and
/// tools, or after one of its messages.
struct InputMark {
    std::uint64_t hash = 0;  ///< of everything up to here that the model reads; 0: none
    InputCounts counts{};    ///< up to here, system prompt and tools included
};

}  // namespace weir
