// The facts that the OpenAI and Anthropic paths have in the body, and Bedrock's own in the URL.
#pragma once

#include "bedrock/operation.h"

#include <weir/result.h>

#include <string>
#include <string_view>

namespace weir::bedrock {

struct BodyHead {
    std::string model;
    bool stream = false;
    bool states_usage = true;       // false: a stream whose client did not ask for its usage
    std::string previous_response;  // Responses: what the service keeps of the turns before
    bool conversation = false;      // likewise: names a conversation
    bool stateful = false;          // refers to state in one Region, such as previous_response
};

/// `body` may grow its capacity (parser padding), never its content. The error is a message for the
/// client: the body is not a JSON object; it has no model; `stream` is not a boolean; or a member
/// that weir uses (these two, previous_response_id, ...) is repeated: it is not known which of the
/// two the service reads, and what is allowed depends on it.
Result<BodyHead> read_body_head(Operation operation, std::string& body);

/// What may be a model's id in a header, a label, a log line.
bool plausible_model(std::string_view model);

/// Body with another model; other bytes as they were.
std::string with_body_model(std::string_view body, std::string_view model);

/// A chat-completions body whose stream will state its usage; other bytes as they were.
std::string with_stated_usage(std::string_view body);

/// The id of a Responses answer, because it may be read again; empty: none.
std::string response_id(std::string& body);

/// True for a top-level member that no model reads.
bool is_body_setting(std::string_view name);

}  // namespace weir::bedrock
