#include "aws/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>

namespace weir::aws {
namespace {

constexpr std::string_view kBlank = " \t\r\n\f\v";

/// Takes exactly `digits` decimal digits off the front.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
    if (text.size() < digits) {
        return std::nullopt;
    }
    int value = 0;
    for (char c : text.substr(0, digits)) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        value = value * 10 + (c - '0');
    }
    text.remove_prefix(digits);
    return value;
}

bool take_char(std::string_view& text, std::string_view any_of) {
    if (text.empty() || any_of.find(text.front()) == std::string_view::npos) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

/// `Z`, `+hh:mm`, `+hhmm`; nothing else may follow.
std::optional<std::chrono::minutes> take_zone(std::string_view text) {
    if (text == "Z" || text == "z") {
        return std::chrono::minutes(0);
    }
    bool west = text.starts_with('-');
    if (!take_char(text, "+-")) {
        return std::nullopt;
    }
    auto hours = take_number(text, 2);
    take_char(text, ":");
    auto minutes = take_number(text, 2);
    if (!hours || !minutes || !text.empty()) {
        return std::nullopt;
    }
    std::chrono::minutes offset(*hours * 60 + *minutes);
    return west ? -offset : offset;
}

}  // namespace

std::string_view trim(std::string_view text) {
    std::size_t begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

Result<std::string> read_file(const std::string& path, std::size_t most) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                         std::fclose);
    if (!file) {
        const char* why = errno == ENOENT ? "no such file" : std::strerror(errno);
        return failure(std::string(why) + ": " + path);
    }
    std::string text(most + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
    if (std::ferror(file.get()) != 0) {
        return failure("cannot read " + path);
    }
    if (text.size() > most) {
        return failure(path + " is larger than " + std::to_string(most) + " bytes");
    }
    return text;
}

std::optional<WallTime> parse_timestamp(std::string_view text) {
    auto year = take_number(text, 4);
    bool dashed = take_char(text, "-");
    auto month = take_number(text, 2);
    dashed = take_char(text, "-") && dashed;
    auto day = take_number(text, 2);
    bool separated = take_char(text, "Tt ");
    auto hour = take_number(text, 2);
    bool colons = take_char(text, ":");
    auto minute = take_number(text, 2);
    colons = take_char(text, ":") && colons;
    auto second = take_number(text, 2);
    if (!year || !month || !day || !hour || !minute || !second || !dashed || !separated ||
        !colons || *hour > 23 || *minute > 59 || *second > 60) {
        return std::nullopt;
    }
    std::chrono::year_month_day date{std::chrono::year(*year),
                                     std::chrono::month(static_cast<unsigned>(*month)),
                                     std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) {
        return std::nullopt;
    }
    std::chrono::milliseconds fraction(0);
    if (take_char(text, ".,")) {
        int scale = 100;
        std::size_t digits = 0;
        while (auto digit = take_number(text, 1)) {
            fraction += std::chrono::milliseconds(*digit * scale);
            scale /= 10;
            ++digits;
        }
        if (digits == 0) {
            return std::nullopt;
        }
    }
    auto zone = take_zone(text);
    if (!zone) {
        return std::nullopt;
    }
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           std::chrono::seconds(*second) + fraction - *zone;
}

std::string timestamp_of(WallTime at) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text.data();
}

std::int64_t unix_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

bool is_token_text(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

std::string excerpt(std::string_view text, std::size_t most) {
    text = trim(text);
    std::string out(text.substr(0, std::min(text.find_first_of("\r\n"), most)));
    std::ranges::replace_if(out, [](char c) { return c < ' ' || c == 0x7f; }, '?');
    return out;
}

}  // namespace weir::aws
