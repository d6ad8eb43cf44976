#include "gateway/dialect.h"

#include "bedrock/json_peek.h"
#include "codec/eventstream.h"
#include "codec/http1.h"

#include <array>

namespace weir::gateway {
namespace {

using bedrock::Dialect;
using bedrock::Operation;

std::string_view anthropic_type(int status) {
    switch (status) {
        case 401:
            return "authentication_error";
        case 403:
            return "permission_error";
        case 404:
            return "not_found_error";
        case 413:
            return "request_too_large";
        case 429:
            return "rate_limit_error";
        case 408:
        case 504:
            return "timeout_error";
        case 503:
        case 529:
            return "overloaded_error";
        default:
            return status >= 500 ? "api_error" : "invalid_request_error";
    }
}

struct OpenAiWords {
    std::string_view type;
    std::string_view code;  // empty: null
};

OpenAiWords openai_words(const ErrorAnswer& error) {
    switch (error.status) {
        case 401:
            return {"invalid_request_error", "invalid_api_key"};
        case 404:
            return {"invalid_request_error",
                    error.reason == "previous_response"         ? "previous_response_not_found"
                    : error.reason == "response"                ? ""
                    : error.type == "UnknownOperationException" ? "unknown_url"
                                                                : "model_not_found"};
        case 429:
            return error.type == "ServiceQuotaExceededException"
                       ? OpenAiWords{"insufficient_quota", "insufficient_quota"}
                       : OpenAiWords{"rate_limit_error", "rate_limit_exceeded"};
        case 503:
        case 529:
            return {"server_error", "service_unavailable"};
        default:
            return {error.status >= 500 ? "server_error" : "invalid_request_error", {}};
    }
}

std::string openai_error(std::string_view message, const OpenAiWords& words) {
    return "{\"message\":" + json_text(message) + ",\"type\":" + json_text(words.type) +
           ",\"param\":null,\"code\":" +
           (words.code.empty() ? std::string("null") : json_text(words.code)) + "}";
}

std::string anthropic_error(std::string_view message, std::string_view type) {
    return R"({"type":"error","error":{"type":)" + json_text(type) +
           ",\"message\":" + json_text(message) + "}";
}

std::string sse_event(Operation operation, std::string_view message, const OpenAiWords& words,
                      std::string_view anthropic_type) {
    switch (operation) {
        case Operation::responses:
            // The typed event of that API; `error` besides, for it is what makes the SDK raise.
            return "event: error\ndata: {\"type\":\"error\",\"code\":" + json_text(words.code) +
                   ",\"message\":" + json_text(message) +
                   ",\"param\":null,\"sequence_number\":0,\"error\":" +
                   openai_error(message, words) + "}\n\n";
        case Operation::messages:
            return "event: error\ndata: " + anthropic_error(message, anthropic_type) + "}\n\n";
        default:
            return "data: {\"error\":" + openai_error(message, words) + "}\n\n";
    }
}

/// Of the exceptions that the operation's stream may end with, the one that says it best.
std::string_view exception_member(Operation operation, const ErrorAnswer& error) {
    switch (error.status) {
        case 408:
            return operation == Operation::invoke_stream ? "modelTimeoutException"
                                                         : "modelStreamErrorException";
        case 424:
            return "modelStreamErrorException";
        case 429:
            return "throttlingException";
        case 503:
        case 504:
        case 529:
            return "serviceUnavailableException";
        default:
            return error.status >= 500 ? "internalServerException" : "validationException";
    }
}

}  // namespace

ErrorAnswer in_dialect(Dialect dialect, ErrorAnswer error) {
    if (dialect == Dialect::aws) {
        return error;
    }
    if (error.status == 403 && error.reason == "key") {
        error.status = 401;
    } else if (error.type == "ServiceQuotaExceededException") {
        error.status = 429;
        error.retry_after = error.retry_after.value_or(std::chrono::seconds(60));
    }
    return error;
}

std::string error_body(Dialect dialect, const ErrorAnswer& error, std::string_view request_id) {
    switch (dialect) {
        case Dialect::openai:
            return "{\"error\":" + openai_error(error.message, openai_words(error)) + "}";
        case Dialect::anthropic:
            return anthropic_error(error.message, anthropic_type(error.status)) +
                   ",\"request_id\":" + json_text(request_id) + "}";
        case Dialect::aws:
            break;
    }
    return error_body(error.message);
}

void append_request_id(std::string& out, Dialect dialect, std::string_view request_id) {
    if (dialect != Dialect::aws) {
        codec::append_field(out, dialect == Dialect::openai ? "x-request-id" : "request-id",
                            request_id);
    }
}

bool speaks(Dialect dialect, std::string_view body) {
    if (dialect == Dialect::aws) {
        return true;
    }
    const auto at = bedrock::member_at(body, "\"error\"");  // both have {"error": {...}}
    return at != std::string_view::npos && body[at] == '{';
}

std::string exception_event(std::string_view type, std::string_view message) {
    const std::array<codec::EventHeader, 3> headers{
        codec::EventHeader{":message-type", std::string_view("exception")},
        codec::EventHeader{":exception-type", type},
        codec::EventHeader{":content-type", std::string_view("application/json")}};
    std::string event;
    codec::append_event(event, headers, error_body(message));
    return event;
}

std::string sse_error(Operation operation, std::string_view message) {
    return sse_event(operation, message, {"server_error", "server_error"}, "api_error");
}

std::string error_event(Operation operation, const ErrorAnswer& error) {
    if (bedrock::names_model_in_body(operation)) {
        auto words = openai_words(error);
        if (words.code.empty()) {
            words.code = words.type;
        }
        return sse_event(operation, error.message, words, anthropic_type(error.status));
    }
    return exception_event(exception_member(operation, error), error.message);
}

}  // namespace weir::gateway
