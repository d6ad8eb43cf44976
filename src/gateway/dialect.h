// Errors in the words of the client that reads them: Bedrock's, OpenAI's, Anthropic's.
#pragma once

#include "bedrock/operation.h"
#include "gateway/refusal.h"

#include <string>
#include <string_view>

namespace weir::gateway {

/// `error` as this dialect has it: another status where its clients know a better one (a key that
/// is not known: 401; the day's quota gone: 429).
ErrorAnswer in_dialect(bedrock::Dialect dialect, ErrorAnswer error);

/// Its body. `request_id` stands in Anthropic's.
std::string error_body(bedrock::Dialect dialect, const ErrorAnswer& error,
                       std::string_view request_id);

/// Adds the field in which the dialect's own service names the request; Bedrock's is always there.
void append_request_id(std::string& out, bedrock::Dialect dialect, std::string_view request_id);

/// Whether an error body that came from upstream is of a kind that the dialect's clients can read.
bool speaks(bedrock::Dialect dialect, std::string_view body);

/// The last event of a stream of server-sent events that broke.
std::string sse_error(bedrock::Operation operation, std::string_view message);

}  // namespace weir::gateway
