// Errors in the words of the client that reads them: Bedrock's, OpenAI's, Anthropic's.
#pragma once

#include "bedrock/operation.h"
#include "gateway/answer.h"

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

/// The same of one of Bedrock's event streams. `type` is a member of the operation's output.
std::string exception_event(std::string_view type, std::string_view message);

/// `error` as the last event of a stream whose head, and no content, is with the client.
std::string error_event(bedrock::Operation operation, const ErrorAnswer& error);

}  // namespace weir::gateway
