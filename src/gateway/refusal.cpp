#include "gateway/refusal.h"

#include "bedrock/answer.h"
#include "codec/http1.h"

#include <algorithm>
#include <cmath>

namespace weir::gateway {
namespace {

using observe::AttemptResult;
using observe::Outcome;

std::string in_seconds(Duration d) {
    const auto s = static_cast<std::int64_t>(std::ceil(to_seconds(d)));
    return std::to_string(std::max<std::int64_t>(s, 1)) + " s";
}

/// "tokens per minute of MODEL in REGION: 198000 of 200000 used, this call would hold 5100".
std::string limit_phrase(const Refusal& r, std::string_view asked_model) {
    std::string text;
    switch (r.limit_kind) {
        case LimitKind::requests:
            text = "requests per minute";
            break;
        case LimitKind::tokens:
            text = "tokens per minute";
            break;
        case LimitKind::daily_tokens:
            text = "tokens for the day";
            break;
        case LimitKind::input_tokens:
            text = "input tokens per minute";
            break;
        case LimitKind::output_tokens:
            text = "output tokens per minute";
            break;
        case LimitKind::in_flight:
            text = "calls under way at once";
            break;
        case LimitKind::none:
            text = "quota";
            break;
    }
    text += " of ";
    text += r.model.empty() ? asked_model : std::string_view(r.model);
    if (!r.region.empty()) {
        text += " in " + r.region;
    }
    if (r.limit > 0) {
        text += ": " + std::to_string(r.used) + " of " + std::to_string(r.limit) + " used";
        if (r.cost > 0 && r.limit_kind != LimitKind::requests) {
            text += ", this call would hold " + std::to_string(r.cost);
        }
    }
    return text;
}

std::string free_when(const Refusal& r) {
    return r.retry_after > Duration::zero()
               ? "; enough is free in about " + in_seconds(r.retry_after)
               : "";
}

}  // namespace

std::optional<ErrorAnswer> oversize(bedrock::Operation operation, std::uint64_t max_body,
                                    std::uint64_t size) {
    constexpr std::uint64_t kInvokeBody = 25'000'000;
    const bool invoke =
        operation == bedrock::Operation::invoke || operation == bedrock::Operation::invoke_stream;
    ErrorAnswer a;
    a.type = "ValidationException";
    if (invoke && size > kInvokeBody && max_body >= kInvokeBody) {
        a.status = 400;
        a.message =
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member "
            "must have length less than or equal to 25000000";
        return a;
    }
    if (size > max_body) {
        a.status = 413;
        a.message = "weir: the body has " + std::to_string(size) +
                    " bytes or more, limits.max_body allows " + std::to_string(max_body);
        return a;
    }
    return std::nullopt;
}

ErrorAnswer refusal_answer(const Refusal& r, std::string_view asked_model) {
    ErrorAnswer a;
    a.reason = to_string(r.reason);
    const auto throttle = [&](std::string message) {
        a.status = 429;
        a.type = "ThrottlingException";
        a.outcome = Outcome::throttled;
        a.retry_after = std::max(r.retry_after, Duration(std::chrono::seconds(1)));
        a.message = std::move(message);
    };
    switch (r.reason) {
        case RefusalReason::quota:
            throttle("weir: this call's turn would come past its deadline. " +
                     limit_phrase(r, asked_model) + free_when(r) + ".");
            break;
        case RefusalReason::client_limit:
            throttle("weir: the limit of this client is used up. " + limit_phrase(r, asked_model) +
                     free_when(r) + ".");
            break;
        case RefusalReason::queue_full:
            throttle("weir: the queue for " + std::string(asked_model) + " is full. " +
                     limit_phrase(r, asked_model) + free_when(r) + ".");
            break;
        case RefusalReason::deadline:
            throttle("weir: this call waited until its deadline. " + limit_phrase(r, asked_model) +
                     free_when(r) + ".");
            if (r.retry_after == Duration::zero()) {  // no limit stood in its way
                a.outcome = Outcome::deadline;
            }
            break;
        case RefusalReason::daily_quota:
            a.status = 400;
            a.type = "ServiceQuotaExceededException";
            a.outcome = Outcome::throttled;
            a.message = "weir: the day's tokens are used up wherever this call may go. " +
                        limit_phrase(r, asked_model) + free_when(r) + ".";
            break;
        case RefusalReason::never_fits:
            a.status = 400;
            a.type = "ValidationException";
            a.message = "weir: this call can never go: it needs more than the limit itself. " +
                        limit_phrase(r, asked_model) +
                        ". Lower max_tokens, shorten the prompt, or ask for a higher quota.";
            break;
        case RefusalReason::no_target:
            a.status = 400;
            a.type = "ValidationException";
            a.message = "weir: no target of the route of " + std::string(asked_model) +
                        " may take this call: residency, model family, the endpoint "
                        "(bedrock-mantle takes OpenAI's and Anthropic's paths only) or its "
                        "Region-bound parts (a guardrail, an ARN, an s3Location) rule all of them "
                        "out.";
            break;
        case RefusalReason::unavailable:
        case RefusalReason::attempts_exhausted:
        case RefusalReason::upstream_error:
            a.status = 503;
            a.type = "ServiceUnavailableException";
            a.outcome = Outcome::unavailable;
            a.retry_after = std::max(r.retry_after, Duration(std::chrono::seconds(1)));
            a.message = "weir: every target of " + std::string(asked_model) +
                        " is down at the moment" +
                        (r.retry_after > Duration::zero()
                             ? "; the next try there is due in about " + in_seconds(r.retry_after)
                             : std::string()) +
                        ".";
            break;
    }
    return a;
}

ErrorAnswer remembered_answer(const Failure& failure) {
    ErrorAnswer a;
    a.status = failure.status >= 400 ? failure.status : 503;
    a.type = failure.error_type.empty() ? bedrock::default_error_type(a.status)
                                        : std::string_view(failure.error_type);
    a.message = failure.message;
    if (a.message.empty()) {
        a.message = "weir: the attempts at this call are used up; the last one ended by " +
                    std::string(to_string(failure.cls)) + ".";
    }
    a.outcome = outcome_of(failure);
    if (a.status == 429 || a.status == 503) {
        a.retry_after = failure.retry_after.value_or(std::chrono::seconds(1));
    }
    return a;
}

ErrorAnswer draining_answer() {
    ErrorAnswer a;
    a.status = 503;
    a.type = "ServiceUnavailableException";
    a.message = "weir: this gateway is stopping.";
    a.retry_after = std::chrono::seconds(1);
    a.outcome = Outcome::unavailable;
    a.reason = "draining";
    return a;
}

ErrorAnswer buffered_answer() {
    ErrorAnswer a;
    a.status = 503;
    a.type = "ServiceUnavailableException";
    a.message =
        "weir: limits.max_buffered is reached, or this client's share of it: too many bytes of "
        "requests and answers are held already.";
    a.retry_after = std::chrono::seconds(1);
    a.outcome = Outcome::unavailable;
    a.reason = "buffered";
    return a;
}

ErrorAnswer too_large_answer(std::string_view what) {
    ErrorAnswer a;
    a.status = 424;
    a.type = "ModelErrorException";
    a.message = "weir: " + std::string(what) + " is larger than the protocol allows.";
    a.outcome = Outcome::server_error;
    return a;
}

void append_json_text(std::string& out, std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\\u00";
            out += kHex[byte >> 4U];
            out += kHex[byte & 15U];
        } else {
            out += c;
        }
    }
}

std::string error_body(std::string_view message) {
    std::string body = "{\"message\":\"";
    append_json_text(body, message);
    body += "\"}";
    return body;
}

void append_error_fields(std::string& out, const ErrorAnswer& answer) {
    codec::append_field(out, "Content-Type", "application/json");
    codec::append_field(out, "x-amzn-ErrorType", answer.type);
    if (!answer.retry_after) {
        return;
    }
    const auto ms = std::max<std::int64_t>(to_ms(*answer.retry_after), 0);
    const auto seconds = (ms + 999) / 1000;
    codec::append_field(out, "x-amz-retry-after", std::to_string(ms));
    // SDKs sleep for whatever Retry-After says, so a long truth goes where people read it.
    codec::append_field(out, "Retry-After", std::to_string(std::min<std::int64_t>(seconds, 60)));
    codec::append_field(out, "x-weir-retry-after", std::to_string(seconds));
    codec::append_field(out, "x-should-retry", "false");
}

Outcome outcome_of(const Failure& failure) {
    switch (failure.cls) {
        case FailureClass::quota_requests:
        case FailureClass::quota_tokens:
        case FailureClass::daily:
            return Outcome::throttled;
        case FailureClass::capacity:
        case FailureClass::overloaded:
        case FailureClass::network:
        case FailureClass::timeout:
        case FailureClass::reset:
            return Outcome::unavailable;
        case FailureClass::server:
        case FailureClass::slow_model:
            return Outcome::server_error;
        case FailureClass::truncated:
            return Outcome::ok;
        case FailureClass::broken:
            return Outcome::broken_stream;
        case FailureClass::credentials:
        case FailureClass::caller:
            return Outcome::client_error;
    }
    return Outcome::server_error;
}

AttemptResult attempt_result(const Failure& failure) {
    switch (failure.cls) {
        case FailureClass::quota_requests:
            return AttemptResult::throttled_requests;
        case FailureClass::quota_tokens:
            return AttemptResult::throttled_tokens;
        case FailureClass::daily:
            return AttemptResult::throttled_daily;
        case FailureClass::overloaded:
            return AttemptResult::overloaded;
        case FailureClass::capacity:
            return AttemptResult::unavailable;
        case FailureClass::server:
        case FailureClass::slow_model:
            return AttemptResult::server_error;
        case FailureClass::timeout:
            return AttemptResult::timeout;
        case FailureClass::network:
        case FailureClass::reset:
            return AttemptResult::network;
        case FailureClass::truncated:
            return AttemptResult::ok;
        case FailureClass::broken:
            return AttemptResult::broken;
        case FailureClass::credentials:
        case FailureClass::caller:
            return AttemptResult::client_error;
    }
    return AttemptResult::server_error;
}

}  // namespace weir::gateway
