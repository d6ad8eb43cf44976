#include "gateway/answer.h"

#include "bedrock/answer.h"
#include "codec/hex.h"
#include "codec/http1.h"
#include "gateway/dialect.h"
#include "observe/figures.h"
#include "policy/class_rules.h"

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

using observe::figure;

std::string_view unit_of(LimitKind kind) {
    switch (kind) {
        case LimitKind::requests:
            return "requests per minute";
        case LimitKind::tokens:
            return "tokens per minute";
        case LimitKind::daily_tokens:
            return "tokens per day";
        case LimitKind::input_tokens:
            return "input tokens per minute";
        case LimitKind::output_tokens:
            return "output tokens per minute";
        case LimitKind::in_flight:
            return "calls in flight";
        case LimitKind::none:
            break;
    }
    return "quota";
}

bool counts_tokens(LimitKind kind) {
    return kind != LimitKind::requests && kind != LimitKind::in_flight && kind != LimitKind::none;
}

/// " MODEL in us-east-1 uses 198,000 of 200,000 tokens per minute, and this call needs 5,100."
std::string use_of_limit(const Refusal& r, std::string_view asked_model) {
    std::string who(r.model.empty() ? asked_model : std::string_view(r.model));
    if (r.reason == RefusalReason::client_limit) {
        who = "It";
    } else if (!r.region.empty()) {
        who += " in " + r.region;
    }
    if (r.limit_kind == LimitKind::none) {
        return " The call is for " + who + ".";
    }
    const std::string unit(unit_of(r.limit_kind));
    if (r.limit == 0) {
        return " " + who + " is short of " + unit + "; the limit itself is not known yet.";
    }
    std::string text =
        " " + who + " uses " + figure(r.used) + " of " + figure(r.limit) + " " + unit;
    if (r.cost > 0 && counts_tokens(r.limit_kind)) {
        text += ", and this call needs " + figure(r.cost);
        if (observe::fits_the_whole(r.used, r.cost, r.limit)) {
            text += "; weir leaves 0.5 % unused";
        }
    }
    return text + ".";
}

std::string when_free(const Refusal& r) {
    return r.retry_after > Duration::zero()
               ? " Room is expected in " + in_seconds(r.retry_after) + "."
               : "";
}

std::string again_in(const Refusal& r) {
    return " Try again in " + in_seconds(r.retry_after) + ".";
}

/// As for a quota of the day: SDKs do not repeat it.
ErrorAnswer budget_spent(std::string message, Duration retry_after) {
    ErrorAnswer a;
    a.status = 400;
    a.type = "ServiceQuotaExceededException";
    a.outcome = Outcome::throttled;
    a.reason = to_string(RefusalReason::budget);
    a.retry_after = retry_after;
    a.message = std::move(message);
    return a;
}

}  // namespace

std::unexpected<ErrorAnswer> refused(int status, std::string_view type, std::string message,
                                     std::string_view reason) {
    ErrorAnswer error;
    error.status = status;
    error.type = type;
    error.message = std::move(message);
    error.reason = reason;
    if (status == 503) {
        error.outcome = Outcome::unavailable;
        error.retry_after = std::chrono::seconds(1);
    }
    return std::unexpected(std::move(error));
}

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
        a.message = "weir: the body has " + figure(size) +
                    " bytes or more; limits.max_body allows " + figure(max_body) + ".";
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
            throttle("weir: no capacity before this call's deadline." +
                     use_of_limit(r, asked_model) + when_free(r));
            break;
        case RefusalReason::client_limit:
            throttle("weir: the limit of this client is reached." + use_of_limit(r, asked_model) +
                     when_free(r));
            break;
        case RefusalReason::queue_full:
            throttle("weir: the queue is full (queue.max_waiting, or this client's share of it)." +
                     use_of_limit(r, asked_model) + when_free(r));
            break;
        case RefusalReason::deadline:
            throttle("weir: this call waited until its deadline without getting capacity." +
                     use_of_limit(r, asked_model) + when_free(r));
            if (r.retry_after == Duration::zero()) {  // no limit stood in its way
                a.outcome = Outcome::deadline;
            }
            break;
        case RefusalReason::daily_quota:
            a.status = 400;
            a.type = "ServiceQuotaExceededException";
            a.outcome = Outcome::throttled;
            a.message = "weir: the tokens of the day are used up on every target of this call." +
                        use_of_limit(r, asked_model) + when_free(r);
            break;
        case RefusalReason::never_fits:
            a.status = 400;
            a.type = "ValidationException";
            a.message = "weir: this call needs more than the whole limit, so waiting cannot help." +
                        use_of_limit(r, asked_model) +
                        " Lower max_tokens, shorten the prompt, or ask for a higher quota.";
            break;
        case RefusalReason::no_target:
            a.status = 400;
            a.type = "ValidationException";
            a.message = "weir: no target of the route of " + std::string(asked_model) +
                        " accepts this call. A target is left out by residency, by model family, "
                        "by its endpoint (bedrock-mantle takes OpenAI's and Anthropic's paths "
                        "only) and by parts that are bound to another Region (a guardrail, an ARN, "
                        "an s3Location).";
            break;
        case RefusalReason::shed:
            throttle(
                "weir: calls of this priority are refused for a time, by order of the "
                "operator." +
                again_in(r));
            break;
        case RefusalReason::paused:
            throttle(
                "weir: the calls of this client are refused for a time, by order of the "
                "operator." +
                again_in(r));
            break;
        case RefusalReason::budget:  // without its figures, which budget_answer() has
            a = budget_spent("weir: the budget of this client is spent." + again_in(r),
                             r.retry_after);
            break;
        case RefusalReason::closed:
            a.status = 503;
            a.type = "ServiceUnavailableException";
            a.outcome = Outcome::unavailable;
            a.retry_after = std::max(r.retry_after, Duration(std::chrono::seconds(1)));
            a.message = "weir: every target of " + std::string(asked_model) +
                        " is closed by order of the operator." + again_in(r);
            break;
        case RefusalReason::unavailable:
        case RefusalReason::attempts_exhausted:
        case RefusalReason::upstream_error:
            a.status = 503;
            a.type = "ServiceUnavailableException";
            a.outcome = Outcome::unavailable;
            a.retry_after = std::max(r.retry_after, Duration(std::chrono::seconds(1)));
            a.message = "weir: every target of " + std::string(asked_model) + " is down." +
                        (r.retry_after > Duration::zero()
                             ? " The next one is probed in " + in_seconds(r.retry_after) + "."
                             : std::string());
            break;
    }
    return a;
}

ErrorAnswer budget_answer(const policy::BudgetStanding& standing, std::int64_t now) {
    using policy::dollars;
    const Duration wait = policy::retry_after(standing, now);
    const std::string of =
        " of " + dollars(standing.budget) + " for the " + std::string(to_string(standing.period));
    if (standing.state == policy::BudgetState::spent) {
        return budget_spent("weir: the budget of this client is spent: " + dollars(standing.spent) +
                                of + ". It renews at " + policy::utc_text(standing.renews_at) +
                                ", in " + in_seconds(wait) + ".",
                            wait);
    }
    ErrorAnswer a = budget_spent(
        "weir: the calls of this client that are under way may use up its budget: " +
            dollars(standing.spent) + of + " is spent, and they are expected to cost " +
            dollars(standing.under_way) + ". Try again in " + in_seconds(wait) + ".",
        wait);
    a.status = 429;
    a.type = "ThrottlingException";
    return a;
}

ErrorAnswer remembered_answer(const Failure& failure) {
    ErrorAnswer a;
    a.status = failure.status >= 400 ? failure.status : 503;
    a.type = failure.error_type.empty() ? bedrock::default_error_type(a.status)
                                        : std::string_view(failure.error_type);
    a.message = failure.message;
    if (a.message.empty()) {
        a.message =
            "weir: all attempts of this call have failed; the class of the last failure is " +
            std::string(to_string(failure.cls)) + ".";
    }
    a.outcome = outcome_of(failure);
    if (a.status == 429 || a.status == 503) {
        a.retry_after = failure.retry_after.value_or(std::chrono::seconds(1));
    }
    return a;
}

ErrorAnswer last_word(const Refusal& refusal, std::string_view asked_model, bool stopping,
                      bool past_deadline) {
    if (!refusal.upstream) {
        return refusal.reason == RefusalReason::unavailable && stopping
                   ? draining_answer()
                   : refusal_answer(refusal, asked_model);
    }
    ErrorAnswer error = remembered_answer(*refusal.upstream);
    if (refusal.repeated) {
        error.reason = to_string(refusal.reason);
    }
    if (past_deadline) {
        error.outcome = Outcome::deadline;
    }
    return error;
}

bool goes_as_it_came(const Refusal& refusal, const KeptAnswer& kept, bedrock::Dialect dialect) {
    return refusal.upstream && refusal.upstream->status == kept.failure.status &&
           refusal.upstream->message == kept.failure.message && speaks(dialect, kept.body);
}

ErrorAnswer draining_answer() {
    ErrorAnswer a;
    a.status = 503;
    a.type = "ServiceUnavailableException";
    a.message = "weir: this gateway is shutting down.";
    a.retry_after = std::chrono::seconds(1);
    a.outcome = Outcome::unavailable;
    a.reason = "draining";
    return a;
}

ErrorAnswer drained_answer() {
    ErrorAnswer a = draining_answer();
    a.outcome = Outcome::drained;
    return a;
}

ErrorAnswer buffered_answer() {
    ErrorAnswer a;
    a.status = 503;
    a.type = "ServiceUnavailableException";
    a.message =
        "weir: the request and answer bytes that weir holds have reached limits.max_buffered, or "
        "this client's share of it.";
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
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\\u00";
            out += codec::kHexDigits[byte >> 4U];
            out += codec::kHexDigits[byte & 15U];
        } else {
            out += c;
        }
    }
}

std::string json_text(std::string_view text) {
    std::string out = "\"";
    append_json_text(out, text);
    out += '"';
    return out;
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
    return policy::rule_of(failure.cls).outcome;
}

AttemptResult attempt_result(const Failure& failure) {
    return policy::rule_of(failure.cls).result;
}

}  // namespace weir::gateway
