#include "bedrock/answer.h"

#include <algorithm>
#include <array>

namespace weir::bedrock {
namespace {

bool equals(std::string_view a, std::string_view b) {
    return codec::equals_ignore_case(a, b);
}

bool any(std::string_view type, std::span<const std::string_view> names) {
    return std::ranges::any_of(names, [type](auto name) { return equals(type, name); });
}

bool contains(std::string_view text, std::string_view part) {
    return std::ranges::search(text, part, [](char a, char b) {
               const auto lower = [](char c) {
                   return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
               };
               return lower(a) == lower(b);
           }).begin() != text.end();
}

constexpr std::array<std::string_view, 14> kCredentials{"ExpiredToken",
                                                        "ExpiredTokenException",
                                                        "InvalidSignatureException",
                                                        "SignatureDoesNotMatch",
                                                        "InvalidSignature",
                                                        "UnrecognizedClientException",
                                                        "InvalidClientTokenId",
                                                        "IncompleteSignature",
                                                        "IncompleteSignatureException",
                                                        "RequestExpired",
                                                        "RequestTimeTooSkewed",
                                                        "MissingAuthenticationToken",
                                                        "MissingAuthenticationTokenException",
                                                        "InvalidAccessKeyId"};

/// In-stream exceptions carry no status: the one that the exception has elsewhere.
constexpr std::array<std::pair<std::string_view, int>, 12> kStatusOf{{
    {"ThrottlingException", 429},
    {"ModelNotReadyException", 429},
    {"ServiceUnavailableException", 503},
    {"InternalServerException", 500},
    {"ModelStreamErrorException", 424},
    {"ModelErrorException", 424},
    {"ModelTimeoutException", 408},
    {"ValidationException", 400},
    {"AccessDeniedException", 403},
    {"ResourceNotFoundException", 404},
    {"ServiceQuotaExceededException", 400},
    {"overloaded_error", 529},
}};

}  // namespace

FailureClass classify(int status, std::string_view type, std::string_view message) {
    if (status == 0) {
        for (const auto& [name, its] : kStatusOf) {
            if (equals(type, name)) {
                status = its;
            }
        }
    }
    const bool daily = contains(message, "per day");
    if (equals(type, "ModelNotReadyException")) {
        return FailureClass::overloaded;
    }
    if (equals(type, "ServiceQuotaExceededException") && daily) {
        return FailureClass::daily;
    }
    if (status == 429 || equals(type, "ThrottlingException") ||
        equals(type, "TooManyRequestsException")) {
        if (contains(message, "overloaded")) {
            return FailureClass::overloaded;
        }
        if (daily) {
            return FailureClass::daily;
        }
        return contains(message, "tokens") ? FailureClass::quota_tokens
                                           : FailureClass::quota_requests;
    }
    if (any(type, kCredentials)) {
        return FailureClass::credentials;
    }
    switch (status) {
        case 503:
            return FailureClass::capacity;
        case 529:
            return FailureClass::overloaded;
        case 408:
            return equals(type, "ModelTimeoutException") || type.empty() ? FailureClass::slow_model
                                                                         : FailureClass::caller;
        case 424:
        case 500:
        case 502:
        case 504:
            return FailureClass::server;
        default:
            break;
    }
    return status >= 400 && status < 500 ? FailureClass::caller : FailureClass::server;
}

std::string_view bare_error_type(std::string_view value) {
    value = value.substr(0, value.find(':'));
    if (const auto hash = value.rfind('#'); hash != std::string_view::npos) {
        value.remove_prefix(hash + 1);
    }
    while (!value.empty() && value.back() == ' ') {
        value.remove_suffix(1);
    }
    return value;
}

std::string_view default_error_type(int status) {
    switch (status) {
        case 400:
            return "ValidationException";
        case 403:
            return "AccessDeniedException";
        case 404:
            return "ResourceNotFoundException";
        case 408:
            return "ModelTimeoutException";
        case 424:
            return "ModelErrorException";
        case 429:
            return "ThrottlingException";
        case 500:
            return "InternalServerException";
        default:
            return status >= 500 ? "ServiceUnavailableException" : "ValidationException";
    }
}

}  // namespace weir::bedrock
