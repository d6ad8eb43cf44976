// Which Bedrock operation a request line names, and where its model stands in the path.
#pragma once

#include <weir/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::bedrock {

enum class Operation : std::uint8_t {
    converse,
    converse_stream,
    invoke,
    invoke_stream,
    chat_completions,  // OpenAI's: model and whether to stream stand in the body
    responses,
    messages,  // Anthropic's, likewise
    count_tokens,
    count_message_tokens,  // Anthropic's count_tokens, asked for as CountTokens
    apply_guardrail,
    guardrail_checks,
    rerank,  // host bedrock-agent-runtime.{region}
    start_async_invoke,
    get_async_invoke,
    list_async_invokes,
    create_invocation_job,  // these four: host bedrock.{region}
    get_invocation_job,
    list_invocation_jobs,
    stop_invocation_job,
    stored_response,       // /v1/responses/{id}...: one that is kept in the Region that made it
    bidirectional_stream,  // known, and refused
    control_plane,  // GET /inference-profiles..., /foundation-models...: host bedrock.{region}
    list_models,    // these two are answered by weir itself
    get_model,
    unknown,
};
/// AWS's name, e.g. "ConverseStream"; the `operation` of metrics and logs.
std::string_view to_string(Operation operation);
constexpr bool is_inference(Operation op) {
    return op <= Operation::messages;
}
/// Whether the operation's name already says that the answer is a stream.
constexpr bool is_stream(Operation op) {
    return op == Operation::converse_stream || op == Operation::invoke_stream;
}
/// Whether model and stream are to be read from the body; its streams are SSE.
constexpr bool names_model_in_body(Operation op) {
    return op == Operation::chat_completions || op == Operation::responses ||
           op == Operation::messages;
}

/// Whether the body is written in a model family's own language, so that no other family's model
/// can take it.
constexpr bool speaks_for_a_family(Operation op) {
    return op == Operation::invoke || op == Operation::invoke_stream || op == Operation::messages;
}

/// Whether the body of an operation that is passed on names the model that will run.
constexpr bool names_model_when_passed_on(Operation op) {
    return op == Operation::rerank || op == Operation::start_async_invoke ||
           op == Operation::create_invocation_job;
}
constexpr bool counts_tokens(Operation op) {
    return op == Operation::count_tokens || op == Operation::count_message_tokens;
}
constexpr bool lists_models(Operation op) {
    return op == Operation::list_models || op == Operation::get_model;
}

/// The API that a path belongs to: the shape of its error bodies and of a failure in a stream.
enum class Dialect : std::uint8_t { aws, openai, anthropic };
/// By the path alone, so that an unknown operation is also refused in the shape its client reads.
/// `target` as for match().
Dialect dialect_of(std::string_view target);

struct Match {
    Operation operation = Operation::unknown;
    std::string model;           // percent-decoded once; empty where the path has none
    std::string_view raw_model;  // the segment exactly as received, a view into `target`
    std::string_view response;   // stored_response: its id, a view into `target`
    std::string item;            // of other single things: id or ARN, percent-decoded once
};

/// `target` is path and query exactly as received, without the client prefix `/@NAME`. An encoding
/// that cannot be decoded, a NUL or control byte in the model id, or one over 2,048 characters:
/// unknown.
Match match(std::string_view method, std::string_view target);

/// `/@NAME/model/...` gives NAME and the rest; no prefix: name empty, rest = target.
struct ClientPrefix {
    std::string_view name;
    std::string_view rest;
};
ClientPrefix split_client_prefix(std::string_view target);

/// Path under the other of `/v1` and `/openai/v1`; every other path as it is.
std::string with_api_path(std::string_view target, ApiPath path);

/// Path with another model in the place of `raw_model`, encoded exactly once ("-._~" kept).
std::string with_model(std::string_view target, std::string_view raw_model, std::string_view model);

}  // namespace weir::bedrock
