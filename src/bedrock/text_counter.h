// Counts a prompt's text by class, a vector of bytes at a time.
#pragma once

#include <weir/input_counts.h>

#include <cstdint>
#include <string_view>

namespace weir::bedrock {

/// Counts texts into one InputCounts. Texts are independent: no run continues from the last one.
class TextCounter {
public:
    /// Without `in_pairs`: sixteen bytes at a time even where thirty-two are possible.
    explicit TextCounter(bool in_pairs = true) : in_pairs_(in_pairs && can_pair()) {}

    void add(std::string_view utf8);

    /// The inside of a JSON string as written: an escape counts as what it stands for. Clients that
    /// write every character above ASCII as \uXXXX (Python's default) would otherwise count double.
    void add_json(std::string_view raw);

    void add_tokens(InputClass cls, double tokens);

    const InputCounts& counts() const { return counts_; }

private:
    /// One run's end, so that a text may come in parts.
    struct Before {
        bool letter = false;
        bool punctuation = false;
    };

    static bool can_pair();
    void add_part(std::string_view part, Before& before);
    void count(InputClass cls, std::uint64_t n);

    InputCounts counts_{};
    bool in_pairs_;
};

/// Tokens of a JSON string's inside, by the prior weights.
double estimate_json_tokens(std::string_view raw);

}  // namespace weir::bedrock
