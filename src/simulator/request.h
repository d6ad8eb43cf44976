// What a request asks for, read by rules of the simulator's own.
#pragma once

#include "simulator/faults.h"

#include <weir/result.h>
#include <weir/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::simulator {

enum class Action : std::uint8_t {
    converse,
    converse_stream,
    invoke,
    invoke_stream,
    chat,       // OpenAI's chat completions
    responses,  // OpenAI's
    messages,   // Anthropic's
    response_get,
    response_delete,
    count_tokens,
    guardrail,
    async_start,
    async_get,
    async_list,
    profiles,
    profile,
    models,
    model,
    unknown,
};

/// The path taken apart. `id` is decoded: a model id or ARN, an invocation ARN, a profile, a
/// response.
struct Path {
    Action action = Action::unknown;
    std::string id;
    std::string_view openai;  ///< of OpenAI's paths: `/v1` or `/openai/v1`
};
Path parse_path(std::string_view method, std::string_view target);

/// The last segment of an ARN; anything else as it is.
std::string_view model_of(std::string_view id);

enum class Language : std::uint8_t {
    converse,
    anthropic,
    nova,
    titan,
    llama,
    mistral,
    openai,
    responses
};
Language language_of(std::string_view model);
/// What the model may say at most; also what is held when a request does not say.
std::uint64_t maximum_output(std::string_view model);

/// `[[name=value]]` in a prompt: tests say what they want to happen to this one call.
struct Directives {
    std::optional<std::uint64_t> input, output, cache_read, cache_write, cache_write_1h;
    std::optional<Duration> ttft;
    std::optional<double> rate;
    std::optional<FaultKind> fault;
    bool echo = false;
};
void read_directives(std::string_view text, Directives& into);

struct Ask {
    std::uint64_t input = 0;  ///< all of it, cached or not
    std::optional<std::uint64_t> max_output;
    Directives directives;
    std::string last_text;  ///< the last piece of text, for echo
    std::string tier;       ///< as asked for; empty: not
    std::string guardrail;  ///< likewise
};

/// The tiers there are, by their names; `auto`, which OpenAI's SDK knows, is `default`.
bool is_tier(std::string_view name);

/// The error's message is what the service says to a malformed body.
Result<Ask> read_body(std::string_view body, Language language);

/// Tokens of a count-tokens body: {"input": {"converse": {...}}} or {"invokeModel": {"body":
/// base64}}.
Result<std::uint64_t> read_count(std::string_view body, Language invoke_language);

}  // namespace weir::simulator
