// The JSON of an error, in the shapes of Bedrock, OpenAI and Anthropic.
#pragma once

#include "bedrock/json.h"

#include <optional>
#include <string>

namespace weir::bedrock {

/// Both cleaned for heads, logs and JSON.
struct ErrorBody {
    std::string type;     // "__type", "code", or Anthropic's and OpenAI's error.type; bare
    std::string message;  // "message", "Message", or theirs
};

/// nullopt: not a JSON object. `body` may grow its capacity, never its content.
std::optional<ErrorBody> read_error_body(ondemand::parser& parser, std::string& body);

}  // namespace weir::bedrock
