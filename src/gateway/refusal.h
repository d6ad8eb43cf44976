// Weir's own answers, in Bedrock's shape: status, x-amzn-ErrorType, {"message": ...}, retry
// headers.
#pragma once

#include "bedrock/operation.h"
#include "observe/metrics.h"

#include <weir/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace weir::gateway {

/// An error answer, ready to be sent.
struct ErrorAnswer {
    int status = 500;
    std::string_view type;  // AWS's exception name
    std::string message;
    std::optional<Duration> retry_after;  // set on 429 and 503: the retry headers are written
    observe::Outcome outcome = observe::Outcome::client_error;
    std::string_view reason;  // for metrics and the log; empty: not a refusal by weir
};

/// For a body of `size` bytes, as far as it has come: nullopt, it may be so large. Invoke's own
/// limit is refused in the service's words, for it would refuse the body after all of it was sent.
std::optional<ErrorAnswer> oversize(bedrock::Operation operation, std::uint64_t max_body,
                                    std::uint64_t size);

/// What a Refusal reads like to the client. Not for reasons that carry an upstream error.
ErrorAnswer refusal_answer(const Refusal& refusal, std::string_view asked_model);

/// An upstream error that is answered from memory: same status, type and message as it came.
ErrorAnswer remembered_answer(const Failure& failure);

/// The gateway stops: no new work is begun, and what is left ends.
ErrorAnswer draining_answer();
/// limits.max_buffered is reached.
ErrorAnswer buffered_answer();
/// `what` of an answer is more than may be held. The call is paid, so that no SDK should repeat it.
ErrorAnswer too_large_answer(std::string_view what);

/// `text` as the inside of a JSON string.
void append_json_text(std::string& out, std::string_view text);

/// {"message": "..."} with the message escaped.
std::string error_body(std::string_view message);

/// Content-Type, x-amzn-ErrorType and, with 429 and 503, x-amz-retry-after (ms), Retry-After (s, up
/// to 60), x-weir-retry-after (s) and x-should-retry: false.
void append_error_fields(std::string& out, const ErrorAnswer& answer);

observe::Outcome outcome_of(const Failure& failure);
observe::AttemptResult attempt_result(const Failure& failure);

}  // namespace weir::gateway
