#include "simulator/refusal.h"

#include <nlohmann/json.hpp>

namespace weir::simulator {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kUnexpected =
    "The system encountered an unexpected error during processing. Try your request again.";
constexpr std::string_view kUnable = "Bedrock is unable to process your request.";

}  // namespace

ErrorAnswer make_error(int status, std::string_view type, std::string_view message) {
    return {.status = status,
            .type = std::string(type),
            .body = Json{{"message", message}}.dump(-1, ' ', false, Json::error_handler_t::replace),
            .content_type = "application/json"};
}

ErrorAnswer quota_error(Verdict verdict) {
    switch (verdict) {
        case Verdict::requests:
            return make_error(429, "ThrottlingException",
                              "Too many requests, please wait before trying again.");
        case Verdict::daily:
            return make_error(429, "ThrottlingException",
                              "Too many tokens per day, please wait before trying again.");
        default:
            return make_error(429, "ThrottlingException",
                              "Too many tokens, please wait before trying again.");
    }
}

ErrorAnswer fault_error(FaultKind kind, std::string_view model) {
    switch (kind) {
        case FaultKind::too_many_connections:
            return make_error(503, "ServiceUnavailableException",
                              "Too many connections, please wait before trying again.");
        case FaultKind::overloaded:
            return make_error(429, "ThrottlingException",
                              "Model " + std::string(model) +
                                  " is currently overloaded. Please try again later.");
        case FaultKind::overloaded_529: {
            ErrorAnswer answer = make_error(529, "", "");
            answer.body =
                R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})";
            return answer;
        }
        case FaultKind::not_ready:
            return make_error(429, "ModelNotReadyException",
                              "The model is not ready for inference requests. Try again later.");
        case FaultKind::internal:
            return make_error(500, "InternalServerException", kUnexpected);
        case FaultKind::model_timeout:
            return make_error(408, "ModelTimeoutException",
                              "Model has timed out in processing the request. Try your request "
                              "again.");
        case FaultKind::model_error:
        case FaultKind::mid_stream: {
            ErrorAnswer answer = make_error(424, "ModelErrorException", "");
            answer.body =
                Json{{"message", kUnexpected}, {"originalStatusCode", 500}, {"resourceName", model}}
                    .dump(-1, ' ', false, Json::error_handler_t::replace);
            return answer;
        }
        case FaultKind::access_denied:
            return make_error(403, "AccessDeniedException",
                              "You don't have access to the model with the specified model ID.");
        case FaultKind::expired_token:
            return make_error(403, "ExpiredTokenException",
                              "The security token included in the request is expired");
        case FaultKind::daily_quota:
            return quota_error(Verdict::daily);
        case FaultKind::garbage: {
            ErrorAnswer answer = make_error(502, "", "");
            answer.body =
                "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body>"
                "</html>\n";
            answer.content_type = "text/html";
            return answer;
        }
        case FaultKind::first_event:
            return make_error(503, "ServiceUnavailableException", kUnable);
        default:
            return make_error(503, "ServiceUnavailableException",
                              "Service temporarily unavailable, please try again.");
    }
}

ErrorAnswer unknown_model() {
    return make_error(400, "ValidationException", "The provided model identifier is invalid.");
}

ErrorAnswer unknown_operation() {
    return {.status = 404,
            .type = "UnknownOperationException",
            .body = R"({"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},)"
                    R"("Version":"1.0"})",
            .content_type = "application/json"};
}

StreamException stream_exception(FaultKind kind) {
    if (kind == FaultKind::first_event) {
        return {.name = "serviceUnavailableException",
                .payload = Json{{"message", kUnable}}.dump()};
    }
    return {.name = "modelStreamErrorException",
            .payload = Json{{"message", "The model stream broke off. Retry your request."},
                            {"originalStatusCode", 500},
                            {"originalMessage", "stream interrupted"}}
                           .dump()};
}

}  // namespace weir::simulator
