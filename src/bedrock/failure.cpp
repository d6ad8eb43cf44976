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

/// When an error's name decides its class.
enum class Says : std::uint8_t {
    always,
    by_words,   // a throttle: the message tells which
    by_day,     // the day's quota if the message says so
    as_client,  // with a 4xx only
    nothing     // the status decides
};

/// One row an error name of Bedrock's, OpenAI's or Anthropic's shape.
struct ErrorType {
    std::string_view name;
    Says says;
    FailureClass cls;
    int status = 500;  // what it would have had as an answer, of an exception in a stream
};

constexpr auto kErrorTypes = [] {
    using enum FailureClass;
    return std::to_array<ErrorType>({
        {"Throttling", Says::by_words, quota_requests, 429},
        {"Throttled", Says::by_words, quota_requests},
        {"TooManyRequests", Says::by_words, quota_requests},
        {"RequestThrottled", Says::by_words, quota_requests},
        {"RequestLimitExceeded", Says::by_words, quota_requests},
        {"rate_limit_error", Says::by_words, quota_requests, 429},
        {"rate_limit_exceeded", Says::by_words, quota_requests, 429},
        {"ModelNotReady", Says::always, overloaded, 429},
        {"overloaded_error", Says::always, overloaded, 529},
        {"ServiceUnavailable", Says::always, capacity, 503},
        {"InternalServer", Says::always, server},
        {"InternalFailure", Says::always, server},
        {"InternalServerError", Says::always, server},
        {"ModelError", Says::always, server, 424},
        {"ModelStreamError", Says::always, server, 424},
        {"api_error", Says::always, server},
        {"server_error", Says::always, server},
        {"timeout_error", Says::always, server},
        {"ModelTimeout", Says::always, slow_model, 408},
        {"ServiceQuotaExceeded", Says::by_day, caller, 400},
        // A signature or token that another credential, or a fresher one, would mend.
        {"ExpiredToken", Says::as_client, credentials},
        {"InvalidSignature", Says::as_client, credentials},
        {"SignatureDoesNotMatch", Says::as_client, credentials},
        {"UnrecognizedClient", Says::as_client, credentials},
        {"InvalidClientTokenId", Says::as_client, credentials},
        {"IncompleteSignature", Says::as_client, credentials},
        {"RequestExpired", Says::as_client, credentials},
        {"RequestTimeTooSkewed", Says::as_client, credentials},
        {"MissingAuthenticationToken", Says::as_client, credentials},
        {"InvalidToken", Says::as_client, credentials},
        {"InvalidAccessKeyId", Says::as_client, credentials},
        {"InvalidSecurityToken", Says::as_client, credentials},
        {"SignatureVersionNotSupported", Says::as_client, credentials},
        {"authentication_error", Says::as_client, credentials},
        {"invalid_api_key", Says::as_client, credentials},
        {"Validation", Says::nothing, caller, 400},
        {"invalid_request_error", Says::nothing, caller, 400},
        {"invalid_prompt", Says::nothing, caller, 400},
        {"AccessDenied", Says::nothing, caller, 403},
        {"ResourceNotFound", Says::nothing, caller, 404},
    });
}();

const ErrorType* find_type(std::string_view type) {
    const auto* const row = std::ranges::find_if(
        kErrorTypes, [type](const ErrorType& one) { return names(type, one.name); });
    return row == kErrorTypes.end() ? nullptr : row;
}

std::optional<FailureClass> by_type(int status, std::string_view type, std::string_view message) {
    const ErrorType* const row = find_type(type);
    if (row == nullptr) {
        return std::nullopt;
    }
    switch (row->says) {
        case Says::always:
            return row->cls;
        case Says::by_words:
            return throttled(message);
        case Says::by_day:
            return contains(message, "per day") ? FailureClass::daily : row->cls;
        case Says::as_client:
            return status >= 400 && status < 500 ? std::optional(row->cls) : std::nullopt;
        case Says::nothing:
            break;
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
    const ErrorType* const row = find_type(error_type);
    return row == nullptr ? 500 : row->status;
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
