// Facts about models, as data: the burndown, the maximum output, the context.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// The body language of InvokeModel; Converse hides it.
enum class Family : std::uint8_t {
    unknown,
    anthropic,
    nova,
    titan,
    llama,
    mistral,
    openai,
    cohere
};

std::string_view to_string(Family family);

struct ModelFacts {
    Family family = Family::unknown;
    std::uint32_t output_burndown = 1;  ///< quota tokens an output token costs at settlement
    std::uint64_t max_output = 64'000;  ///< tokens; what the service holds when max_tokens is unset
    std::uint64_t context = 200'000;    ///< tokens of input and output together
    bool known = false;                 ///< false: no row matched and these are defaults
};

/// Splits `us.anthropic.claude-...` into its geo prefix ("us") and the model id without it.
/// An ARN is reduced to its last segment first. No prefix: geo is empty.
struct ModelName {
    std::string_view geo;
    std::string_view base;
};
ModelName split_model(std::string_view model_id);

/// The last segment of an ARN (`arn:...:inference-profile/us.x` gives `us.x`); anything else as it
/// is.
std::string_view strip_arn(std::string_view model_id);

/// Longest-prefix lookup over model ids without their geo prefix. Immutable once filled; const
/// members are safe from any thread.
class ModelTable {
public:
    void add(std::string prefix, ModelFacts facts);

    /// Never fails: an unknown model gets burndown 5 for `anthropic.` and 1 otherwise, 64,000
    /// tokens of output, and `known == false`.
    ModelFacts facts(std::string_view model_id) const;

    bool empty() const { return rows_.empty(); }

private:
    struct Row {
        std::string prefix;
        ModelFacts facts;
    };
    std::vector<Row>
        rows_;  // sorted by descending prefix length, so the first match is the longest
};

}  // namespace weir
