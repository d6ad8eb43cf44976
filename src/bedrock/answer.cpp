#include "bedrock/answer.h"

#include "bedrock/usage_fields.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::bedrock {
namespace {

namespace od = simdjson::ondemand;

constexpr Duration kMaxRetryAfter = std::chrono::hours(1);

std::optional<std::uint64_t> header_number(const codec::Head& head, std::string_view name) {
    const auto* value = head.find(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    std::uint64_t number = 0;
    const auto [end, ec] = std::from_chars(value->data(), value->data() + value->size(), number);
    if (ec != std::errc() || end != value->data() + value->size()) {
        return std::nullopt;
    }
    return std::min(number, kMaxUsage);
}

/// IMF-fixdate ("Sun, 06 Nov 1994 08:49:37 GMT") as seconds since 1970; the other two forms are
/// long dead.
std::optional<std::int64_t> http_date(std::string_view text) {
    constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (text.size() != 29 || !text.ends_with(" GMT")) {
        return std::nullopt;
    }
    const auto number = [text](std::size_t at, std::size_t size) {
        int value = -1;
        const auto* first = text.data() + at;
        const auto [end, ec] = std::from_chars(first, first + size, value);
        return ec == std::errc() && end == first + size ? value : -1;
    };
    const auto month = std::ranges::find(kMonths, text.substr(8, 3)) - kMonths.begin();
    const int day = number(5, 2);
    const int year = number(12, 4);
    const int hour = number(17, 2);
    const int minute = number(20, 2);
    const int second = number(23, 2);
    if (month == 12 || day < 1 || year < 1970 || hour < 0 || minute < 0 || second < 0) {
        return std::nullopt;
    }
    const auto date = std::chrono::year(year) /
                      std::chrono::month(static_cast<unsigned>(month) + 1) /
                      std::chrono::day(static_cast<unsigned>(day));
    if (!date.ok()) {
        return std::nullopt;
    }
    const auto days = std::chrono::sys_days(date).time_since_epoch().count();
    return std::int64_t{days} * 86'400 + hour * 3'600 + minute * 60 + second;
}

std::optional<Duration> retry_after(const codec::Head& head, std::int64_t unix_now) {
    std::optional<Duration> wait;
    if (const auto ms = header_number(head, "x-amz-retry-after")) {
        wait = std::chrono::milliseconds(static_cast<std::int64_t>(*ms));
    } else if (const auto seconds = header_number(head, "retry-after")) {
        wait = std::chrono::seconds(
            std::min<std::int64_t>(static_cast<std::int64_t>(*seconds), 3'600));
    } else if (const auto* text = head.find("retry-after")) {
        if (const auto date = http_date(*text); date && *date > unix_now) {
            wait = std::chrono::seconds(std::min<std::int64_t>(*date - unix_now, 3'600));
        }
    }
    if (wait) {
        wait = std::min(*wait, kMaxRetryAfter);
    }
    return wait;
}

}  // namespace

struct AnswerReader::Impl {
    od::parser parser;
};

AnswerReader::AnswerReader() : impl_(std::make_unique<Impl>()) {}
AnswerReader::~AnswerReader() = default;
AnswerReader::AnswerReader(AnswerReader&&) noexcept = default;
AnswerReader& AnswerReader::operator=(AnswerReader&&) noexcept = default;

Usage AnswerReader::usage(Operation /*operation*/, const codec::Head& head, std::string& body) {
    Usage usage;
    const auto input = header_number(head, "x-amzn-bedrock-input-token-count");
    const auto output = header_number(head, "x-amzn-bedrock-output-token-count");
    if (input && output) {
        usage.input = *input;
        usage.output = *output;
        usage.cache_read =
            header_number(head, "x-amzn-bedrock-cache-read-input-token-count").value_or(0);
        usage.cache_write =
            header_number(head, "x-amzn-bedrock-cache-write-input-token-count").value_or(0);
        usage.known = true;
        return usage;
    }
    read_usage(impl_->parser, body, usage);
    return usage;
}

Failure AnswerReader::failure(const codec::Head& head, std::string& body, std::int64_t unix_now) {
    Failure failure;
    failure.status = head.status;
    failure.stage = Stage::sent;
    if (const auto* type = head.find("x-amzn-errortype")) {
        failure.error_type = bare_error_type(*type);
    }
    body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
    od::document document;
    od::object object;
    if (!impl_->parser.iterate(body).get(document) && !document.get_object().get(object)) {
        for (auto each : object) {
            od::field field;
            std::string_view key;
            std::string_view text;
            if (std::move(each).get(field) || field.unescaped_key().get(key)) {
                break;
            }
            const bool is_message = key == "message" || key == "Message";
            const bool is_type = key == "__type" || key == "code" || key == "type";
            if ((is_message || is_type) && !field.value().get_string().get(text)) {
                if (is_message && failure.message.empty()) {
                    failure.message = text;
                } else if (is_type && failure.error_type.empty()) {
                    failure.error_type = bare_error_type(text);
                }
            }
        }
    }
    failure.cls = classify(failure.status, failure.error_type, failure.message);
    if (failure.error_type.empty()) {
        failure.error_type = default_error_type(failure.status);
    }
    failure.retry_after = retry_after(head, unix_now);
    return failure;
}

}  // namespace weir::bedrock
