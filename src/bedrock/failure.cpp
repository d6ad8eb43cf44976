// What a failed answer means: the table of classes, and the server's word on when to come back.
#include "bedrock/answer.h"
#include "bedrock/failure_parts.h"
#include "codec/clean.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace weir::bedrock {

namespace {

constexpr std::chrono::hours kLongestRetryAfter{1};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool contains(std::string_view text, std::string_view lower_case) {
    return !std::ranges::search(text, lower_case, {}, lower).empty();
}

/// Names come as ThrottlingException, throttlingException or, between services, without the ending.
bool names(std::string_view type, std::string_view name) {
    return codec::equals_ignore_case(type, name) ||
           (type.size() == name.size() + 9 &&
            codec::equals_ignore_case(type.substr(0, name.size()), name) &&
            codec::equals_ignore_case(type.substr(name.size()), "Exception"));
}

template <std::size_t N>
bool names_any(std::string_view type, const std::array<std::string_view, N>& list) {
    return std::ranges::any_of(list, [type](std::string_view name) { return names(type, name); });
}

/// A signature or token that another credential, or a fresher one, would mend.
bool is_credentials(std::string_view type) {
    static constexpr std::array<std::string_view, 15> kTypes = {"ExpiredToken",
                                                                "InvalidSignature",
                                                                "SignatureDoesNotMatch",
                                                                "UnrecognizedClient",
                                                                "InvalidClientTokenId",
                                                                "IncompleteSignature",
                                                                "RequestExpired",
                                                                "RequestTimeTooSkewed",
                                                                "MissingAuthenticationToken",
                                                                "InvalidToken",
                                                                "InvalidAccessKeyId",
                                                                "InvalidSecurityToken",
                                                                "SignatureVersionNotSupported",
                                                                "authentication_error",
                                                                "invalid_api_key"};
    return names_any(type, kTypes);
}

FailureClass throttled(std::string_view message) {
    if (contains(message, "per day")) {
        return FailureClass::daily;
    }
    if (contains(message, "overloaded")) {
        return FailureClass::overloaded;
    }
    if (contains(message, "too many connections")) {
        return FailureClass::capacity;
    }
    return contains(message, "token") ? FailureClass::quota_tokens : FailureClass::quota_requests;
}

std::optional<FailureClass> by_type(int status, std::string_view type, std::string_view message) {
    static constexpr std::array<std::string_view, 7> kThrottling = {
        "Throttling",           "Throttled",        "TooManyRequests",    "RequestThrottled",
        "RequestLimitExceeded", "rate_limit_error", "rate_limit_exceeded"};
    static constexpr std::array<std::string_view, 8> kServer = {
        "InternalServer",   "InternalFailure", "InternalServerError", "ModelError",
        "ModelStreamError", "api_error",       "server_error",        "timeout_error"};
    if (names_any(type, kThrottling)) {
        return throttled(message);
    }
    if (names(type, "ModelNotReady") || names(type, "overloaded_error")) {
        return FailureClass::overloaded;
    }
    if (names(type, "ServiceUnavailable")) {
        return FailureClass::capacity;
    }
    if (names_any(type, kServer)) {
        return FailureClass::server;
    }
    if (names(type, "ModelTimeout")) {
        return FailureClass::slow_model;
    }
    if (names(type, "ServiceQuotaExceeded")) {
        return contains(message, "per day") ? FailureClass::daily : FailureClass::caller;
    }
    if (status >= 400 && status < 500 && is_credentials(type)) {
        return FailureClass::credentials;
    }
    return std::nullopt;
}

std::optional<std::int64_t> whole_number(std::string_view text) {
    std::int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc::result_out_of_range && stop == end && !text.starts_with('-')) {
        return INT64_MAX;
    }
    if (error != std::errc() || stop != end) {
        return std::nullopt;
    }
    return value;
}

/// "Sun, 06 Nov 1994 08:49:37 GMT": the one form that may still be sent (RFC 9110 5.6.7).
std::optional<std::int64_t> http_date(std::string_view text) {
    static constexpr std::array<std::string_view, 12> kMonths = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    constexpr std::size_t kSize = 29;
    if (text.size() != kSize || text.substr(3, 2) != ", " || text.substr(25) != " GMT" ||
        text[19] != ':' || text[22] != ':') {
        return std::nullopt;
    }
    const auto day = whole_number(text.substr(5, 2));
    const auto* const month = std::ranges::find(kMonths, text.substr(8, 3));
    const auto year = whole_number(text.substr(12, 4));
    const auto hour = whole_number(text.substr(17, 2));
    const auto minute = whole_number(text.substr(20, 2));
    const auto second = whole_number(text.substr(23, 2));
    if (!day || month == kMonths.end() || !year || !hour || !minute || !second) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{
        std::chrono::year(static_cast<int>(*year)),
        std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
        std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok() || *hour < 0 || *hour > 23 || *minute < 0 || *minute > 59 || *second < 0 ||
        *second > 60) {
        return std::nullopt;
    }
    const auto days = std::chrono::sys_days(date).time_since_epoch().count();
    return static_cast<std::int64_t>(days) * 86'400 + *hour * 3'600 + *minute * 60 + *second;
}

}  // namespace

FailureClass classify(int status, std::string_view error_type, std::string_view message) {
    const std::string_view type = bare_error_type(error_type);
    if (const auto known = by_type(status, type, message)) {
        return *known;
    }
    switch (status) {
        case 429:
            return throttled(message);
        case 529:
            return FailureClass::overloaded;
        case 503:
            return FailureClass::capacity;
        case 408:
            return FailureClass::slow_model;
        case 424:
            return FailureClass::server;
        default:
            return status >= 400 && status < 500 ? FailureClass::caller : FailureClass::server;
    }
}

std::string_view bare_error_type(std::string_view value) {
    // Namespace first: it ends at a '#', and only what follows may have a ':' and a URI, which
    // could hold a '#' of its own.
    const auto colon = value.find(':');
    value = value.substr(0, colon);
    if (const auto hash = value.rfind('#'); hash != std::string_view::npos) {
        value.remove_prefix(hash + 1);
    }
    return codec::clean_name(value);
}

std::string_view default_error_type(int status) {
    switch (status) {
        case 400:
            return "ValidationException";
        case 401:
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
        case 502:
        case 503:
        case 504:
        case 529:
            return "ServiceUnavailableException";
        default:
            return status >= 400 && status < 500 ? "ValidationException"
                                                 : "InternalServerException";
    }
}

int modelled_status(std::string_view error_type) {
    struct Row {
        std::string_view name;
        int status;
    };
    static constexpr std::array<Row, 16> kRows = {{{"Throttling", 429},
                                                   {"rate_limit_error", 429},
                                                   {"rate_limit_exceeded", 429},
                                                   {"overloaded_error", 529},
                                                   {"invalid_request_error", 400},
                                                   {"invalid_prompt", 400},
                                                   {"ModelNotReady", 429},
                                                   {"ServiceUnavailable", 503},
                                                   {"InternalServer", 500},
                                                   {"ModelTimeout", 408},
                                                   {"ModelError", 424},
                                                   {"ModelStreamError", 424},
                                                   {"ServiceQuotaExceeded", 400},
                                                   {"Validation", 400},
                                                   {"AccessDenied", 403},
                                                   {"ResourceNotFound", 404}}};
    const auto* const row = std::ranges::find_if(
        kRows, [error_type](const Row& r) { return names(error_type, r.name); });
    return row == kRows.end() ? 500 : row->status;
}

FailureClass stream_class(int status, std::string_view type, std::string_view message) {
    const FailureClass cls = classify(status, type, message);
    const bool quota = cls == FailureClass::quota_requests || cls == FailureClass::quota_tokens;
    return quota ? FailureClass::capacity : cls;
}

std::optional<Duration> retry_after(const codec::Head& head, std::int64_t unix_now) {
    const auto capped = [](std::int64_t ms) -> std::optional<Duration> {
        if (ms <= 0) {
            return std::nullopt;
        }
        const auto most = std::chrono::duration_cast<std::chrono::milliseconds>(kLongestRetryAfter);
        return std::chrono::milliseconds(std::min<std::int64_t>(ms, most.count()));
    };
    if (const auto* ms = head.find("x-amz-retry-after")) {
        if (const auto value = whole_number(*ms)) {
            return capped(*value);
        }
    }
    const auto* const field = head.find("retry-after");
    if (field == nullptr) {
        return std::nullopt;
    }
    if (const auto seconds = whole_number(*field)) {
        return capped(std::min<std::int64_t>(*seconds, 1'000'000) * 1'000);
    }
    if (const auto date = http_date(*field)) {
        return capped((*date - unix_now) * 1'000);
    }
    return std::nullopt;
}

}  // namespace weir::bedrock
