// Reads usage from the JSON of an answer, for every family.
#pragma once

#include "bedrock/json_walk.h"

#include <weir/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::bedrock {

/// A number as a count of tokens; fractions round up. nullopt: not a number, negative, or more than
/// any call can have (10^8). A wrong settlement would stay in the window for long.
std::optional<std::uint64_t> token_count(std::string_view token);

/// Usage from several parts; a later value replaces an earlier one. A value that cannot be read
/// counts as missing. The readers return false if the JSON is invalid.
class UsageParts : private JsonWalk {
public:
    /// The whole of an answer or of a stream's chunk: `usage` and what families keep at the top.
    bool answer(ondemand::object object);

    /// An object of counts: Converse's `usage`, `amazon-bedrock-invocationMetrics`, ...
    bool counts(ondemand::value& value);

    /// Known only if input and output are, because an answer without a reported output must keep
    /// its reservation. Only embeddings have no output.
    Usage usage() const;

    std::optional<std::uint64_t> input;
    std::optional<std::uint64_t> output;
    std::optional<std::uint64_t> cache_read;
    std::optional<std::uint64_t> cache_write;
    std::optional<std::uint64_t> cache_write_1h;
    Tier tier = Tier::unset;

private:
    void add(ondemand::value& counts);
    void one(std::string_view name, ondemand::value& value);
    void cache_details(ondemand::value& value);
    void titan_results(ondemand::value& value);
    void served_by(ondemand::value& value);

    std::uint64_t cached_prompt_ = 0;  // a part of OpenAI's prompt_tokens or input_tokens
    bool embedding_ = false;
};

}  // namespace weir::bedrock
