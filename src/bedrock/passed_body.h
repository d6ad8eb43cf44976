// Bodies of operations that weir passes on without counting tokens: the model they name, the ARN
// they made, and Anthropic's count_tokens as Bedrock's CountTokens.
#pragma once

#include "bedrock/operation.h"

#include <weir/result.h>

#include <string>
#include <string_view>

namespace weir::bedrock {

/// The model that a Rerank, StartAsyncInvoke or CreateModelInvocationJob body names. An error: the
/// body is not a JSON object, or names no model, or two: it is not known which one the service
/// reads. `body` may grow its capacity (parser padding), never its content.
Result<std::string> model_to_run(Operation operation, std::string& body);

/// The ARN that the answer to StartAsyncInvoke or CreateModelInvocationJob gives; empty: none.
std::string made_arn(Operation operation, std::string& answer);

/// The body of a CountTokens call for this Messages body. `betas`: the
/// anthropic-beta header, a list separated by commas.
Result<std::string> count_tokens_body(std::string& messages_body, std::string_view betas);

/// CountTokens' answer in Anthropic's shape; as it came where it is none.
std::string anthropic_count(std::string& answer);

}  // namespace weir::bedrock
