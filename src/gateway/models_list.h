// GET /v1/models: what is configured and a client may use, as OpenAI's and Anthropic's clients read
// it.
#pragma once

#include "bedrock/operation.h"
#include "gateway/answer.h"

#include <weir/config.h>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

struct Request;

/// The models of routes, then those with quotas, each once, that `client` may use in a Region it
/// may use. Null: a client without limits of its own. Anything else that Bedrock has may be asked
/// for, too; weir does not know what that is.
std::vector<std::string_view> models_for(const Config& config, const ClientConfig* client);

/// The answer's body to this request: the list, or one model of it.
std::expected<std::string, ErrorAnswer> models_answer(const Request& request);

/// The body of the list, or of one model.
std::string models_body(bedrock::Dialect dialect, const std::vector<std::string_view>& models);
std::string model_body(bedrock::Dialect dialect, std::string_view model);

}  // namespace weir::gateway
