#include "plan/timestamp.h"

#include <chrono>
#include <limits>

namespace weir::plan {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Takes exactly `count` digits from the front; below zero: they are not there.
int take(std::string_view& text, int count) {
    int value = 0;
    for (int i = 0; i < count; ++i) {
        if (text.empty() || !is_digit(text.front())) {
            return -1;
        }
        value = value * 10 + (text.front() - '0');
        text.remove_prefix(1);
    }
    return value;
}

bool skip(std::string_view& text, char c) {
    if (text.empty() || text.front() != c) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

/// Digits after the point as nanoseconds; further ones are cut off. Below zero: there are none.
std::int64_t take_fraction(std::string_view& text) {
    if (text.empty() || !is_digit(text.front())) {
        return -1;
    }
    std::int64_t value = 0;
    std::int64_t unit = kSecond / 10;
    while (!text.empty() && is_digit(text.front())) {
        value += (text.front() - '0') * unit;
        unit /= 10;
        text.remove_prefix(1);
    }
    return value;
}

/// Seconds east of Greenwich; nullopt: what is left is no offset.
std::optional<int> take_offset(std::string_view& text) {
    if (text.empty() || skip(text, 'Z') || skip(text, 'z')) {
        return 0;
    }
    const bool west = text.front() == '-';
    if (!skip(text, '+') && !skip(text, '-')) {
        return std::nullopt;
    }
    const int hours = take(text, 2);
    const bool colon = skip(text, ':');
    const int minutes = text.empty() && !colon ? 0 : take(text, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
        return std::nullopt;
    }
    return (west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

}  // namespace

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
    const int year = take(text, 4);
    if (year < 1970 || year > 2261 || !skip(text, '-')) {
        return std::nullopt;
    }
    const int month = take(text, 2);
    if (month < 0 || !skip(text, '-')) {
        return std::nullopt;
    }
    const int day = take(text, 2);
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (day < 0 || !date.ok() || (!skip(text, 'T') && !skip(text, 't') && !skip(text, ' '))) {
        return std::nullopt;
    }
    const int hour = take(text, 2);
    if (hour < 0 || hour > 23 || !skip(text, ':')) {
        return std::nullopt;
    }
    const int minute = take(text, 2);
    int second = 0;
    std::int64_t fraction = 0;
    if (skip(text, ':')) {
        second = take(text, 2);
        if (skip(text, '.') || skip(text, ',')) {
            fraction = take_fraction(text);
        }
    }
    // A leap second is the second after it, as in Unix time.
    if (minute < 0 || minute > 59 || second < 0 || second > 60 || fraction < 0) {
        return std::nullopt;
    }
    const auto offset = take_offset(text);
    if (!offset || !text.empty()) {
        return std::nullopt;
    }
    const auto days = std::chrono::sys_days(date).time_since_epoch().count();
    const std::int64_t seconds =
        std::int64_t{days} * 86'400 + hour * 3600 + minute * 60 + second - *offset;
    return seconds * kSecond + fraction;
}

std::optional<std::int64_t> parse_scaled(std::string_view text, int digits) {
    std::int64_t value = 0;
    int places = -1;  // after the point; -1: before it
    bool any = false;
    for (const char c : text) {
        if (c == '.' && places < 0) {
            places = 0;
            continue;
        }
        if (!is_digit(c)) {
            return std::nullopt;
        }
        any = true;
        if (places >= digits) {
            continue;
        }
        if (value > (kMost - 9) / 10) {
            return std::nullopt;
        }
        value = value * 10 + (c - '0');
        places += places >= 0 ? 1 : 0;
    }
    for (int i = places < 0 ? 0 : places; i < digits; ++i) {
        if (value > kMost / 10) {
            return std::nullopt;
        }
        value *= 10;
    }
    return any ? std::optional(value) : std::nullopt;
}

}  // namespace weir::plan
