// What the bodies of the OpenAI and Anthropic paths say that Bedrock's own paths say in the URL.
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
    bool stateful = false;  // leans on something kept in one Region, previous_response among it
};

/// `body` may grow its capacity (parser padding), never its content. An error, in words fit for the
/// client: the body is no JSON object; it names no model; `stream` is no boolean; or a member
/// that weir decides by (these two, previous_response_id, ...) stands twice. Which of two a service
/// obeys is not known, and what is allowed hangs on it.
Result<BodyHead> read_body_head(Operation operation, std::string& body);

/// Body with another model; other bytes as they were.
std::string with_body_model(std::string_view body, std::string_view model);

/// A chat-completions body whose stream will state its usage; other bytes as they were.
std::string with_stated_usage(std::string_view body);

/// The id of a Responses answer, for it may be asked for again; empty: none stated.
std::string response_id(std::string& body);

/// Is this a member at the top that no model reads?
bool is_body_setting(std::string_view name);

}  // namespace weir::bedrock
