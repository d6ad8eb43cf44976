// Weir's own answers, in Bedrock's shape: status, x-amzn-ErrorType, {"message": ...}, retry
// headers.
#pragma once

#include "bedrock/operation.h"
#include "net/buffered_bytes.h"
#include "observe/metrics.h"
#include "policy/budget.h"

#include <weir/types.h>

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace weir::gateway {

/// An error answer, ready to be sent.
struct ErrorAnswer {
    int status = 500;
    std::string_view type;  // AWS's exception name
    std::string message;
    // Set on 429 and 503, and where a budget is spent: the retry headers are written.
    std::optional<Duration> retry_after;
    observe::Outcome outcome = observe::Outcome::client_error;
    std::string_view reason;  // for metrics and the log; empty: not a refusal by weir
};

/// What the service said, kept for as long as something better may come.
struct KeptAnswer {
    int status = 0;
    std::string fields;  // those that go on to the client
    std::string body;
    std::string upstream_id;
    Failure failure;                          // of an error
    Usage usage;                              // of a good answer
    std::optional<net::BufferedBytes> bytes;  // of body
};

/// An error answer in the place of what was asked for.
std::unexpected<ErrorAnswer> refused(int status, std::string_view type, std::string message,
                                     std::string_view reason = {});

/// For a body of `size` bytes, as far as it has come: nullopt, it may be so large. Invoke's own
/// limit is refused in the service's words, for it would refuse the body after all of it was sent.
std::optional<ErrorAnswer> oversize(bedrock::Operation operation, std::uint64_t max_body,
                                    std::uint64_t size);

/// What a Refusal reads like to the client. Not for reasons that carry an upstream error.
ErrorAnswer refusal_answer(const Refusal& refusal, std::string_view asked_model);

/// A client's money is spent, or what its calls under way may cost comes to the rest. `now`: in
/// seconds since 1970.
ErrorAnswer budget_answer(const policy::BudgetStanding& standing, std::int64_t now);

/// An upstream error that is answered from memory: same status, type and message as it came.
ErrorAnswer remembered_answer(const Failure& failure);

/// The last word on a call. `stopping`: the gateway is; `past_deadline`: the call's deadline ended
/// its last attempt.
ErrorAnswer last_word(const Refusal& refusal, std::string_view asked_model, bool stopping,
                      bool past_deadline);

/// Whether the client gets `kept` as it came: it is what the refusal speaks of, and in words that
/// the client can read.
bool goes_as_it_came(const Refusal& refusal, const KeptAnswer& kept, bedrock::Dialect dialect);

/// The gateway stops: no new work is begun, and what is left ends.
ErrorAnswer draining_answer();
/// The same for a call that was under way when the drain's time was over.
ErrorAnswer drained_answer();
/// limits.max_buffered is reached.
ErrorAnswer buffered_answer();
/// `what` of an answer is more than may be held. The call is paid, so that no SDK should repeat it.
ErrorAnswer too_large_answer(std::string_view what);

/// `text` as the inside of a JSON string.
void append_json_text(std::string& out, std::string_view text);
/// `text` as a JSON string, quotes included.
std::string json_text(std::string_view text);

/// {"message": "..."} with the message escaped.
std::string error_body(std::string_view message);

/// Content-Type, x-amzn-ErrorType and, with a retry_after, x-amz-retry-after (ms), Retry-After (s,
/// up to 60), x-weir-retry-after (s) and x-should-retry: false.
void append_error_fields(std::string& out, const ErrorAnswer& answer);

observe::Outcome outcome_of(const Failure& failure);
observe::AttemptResult attempt_result(const Failure& failure);

}  // namespace weir::gateway
