// Durations and sizes as people write them: a number with its unit, never without.

#include "cli/config_file.h"

#include <array>
#include <cctype>
#include <limits>

namespace weir::cli {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

// Largest first: formatting takes the first that divides.
constexpr std::array<Unit, 6> kTimes{{{"h", 3'600'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"s", 1'000'000'000},
                                      {"ms", 1'000'000},
                                      {"us", 1'000},
                                      {"ns", 1}}};
constexpr std::array<Unit, 4> kSizes{
    {{"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"B", 1}}};

constexpr std::uint64_t kLongest = 366ULL * 24 * 3'600'000'000'000;  // a year, in ns
constexpr std::uint64_t kLargest = 1ULL << 50;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// `digits[.digits]` times `factor`, exactly; nullopt: not a number or above `most`.
std::optional<std::uint64_t> scaled(std::string_view number, std::uint64_t factor,
                                    std::uint64_t most) {
    std::uint64_t whole = 0;
    std::size_t at = 0;
    for (; at < number.size() && is_digit(number[at]); ++at) {
        whole = whole * 10 + static_cast<std::uint64_t>(number[at] - '0');
        if (whole > most)
            return std::nullopt;
    }
    if (at == 0)
        return std::nullopt;
    if (whole > most / factor)
        return std::nullopt;
    std::uint64_t value = whole * factor;
    if (at == number.size())
        return value;
    if (number[at] != '.' || at + 1 == number.size() || number.size() - at > 10)
        return std::nullopt;
    std::uint64_t step = factor;
    std::uint64_t fraction = 0;
    std::uint64_t scale = 1;
    for (++at; at < number.size(); ++at) {
        if (!is_digit(number[at]))
            return std::nullopt;
        fraction = fraction * 10 + static_cast<std::uint64_t>(number[at] - '0');
        scale *= 10;
    }
    // factor <= 3.6e12 and fraction < 1e9: one division first keeps the product in range.
    value += step / scale * fraction + step % scale * fraction / scale;
    return value > most ? std::nullopt : std::optional(value);
}

struct Split {
    std::string_view number;
    std::string_view unit;
};

Split split(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size() && (is_digit(text[at]) || text[at] == '.'))
        ++at;
    Split result{text.substr(0, at), text.substr(at)};
    while (!result.unit.empty() && result.unit.front() == ' ')
        result.unit.remove_prefix(1);
    return result;
}

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
    for (const Unit& unit : units) {
        if (unit.name == name)
            return &unit;
    }
    return nullptr;
}

template <std::size_t N>
std::string format(std::uint64_t value, const std::array<Unit, N>& units,
                   std::string_view of_zero) {
    if (value == 0)
        return "0" + std::string(of_zero);
    for (const Unit& unit : units) {
        if (value % unit.factor == 0)
            return std::to_string(value / unit.factor) + std::string(unit.name);
    }
    return {};  // unreachable: the last unit is 1
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
    const Split parts = split(text);
    if (parts.number.empty())
        return failure("not a duration; write a number and ms, s, m or h, such as 250ms or 2s");
    if (parts.unit.empty())
        return failure("a duration needs a unit: ms, s, m or h, such as 250ms or 2s");
    const Unit* unit = find_unit(kTimes, parts.unit);
    if (unit == nullptr)
        return failure("not a unit of time; allowed are ms, s, m and h, such as 250ms or 2s");
    const auto value = scaled(parts.number, unit->factor, kLongest);
    if (!value)
        return failure("not a duration between 0 and a year; write it like 250ms, 2s or 1.5h");
    return Duration(static_cast<std::int64_t>(*value));
}

std::string format_duration(Duration duration) {
    if (duration.count() < 0)
        return "-" + format_duration(Duration(-(duration.count() + 1)) + Duration(1));
    const auto value = static_cast<std::uint64_t>(duration.count());
    // Timeouts are mostly spoken of in seconds: 60s, 300s, but 1h.
    if (value != 0 && value % kTimes[2].factor == 0 && value % kTimes[0].factor != 0)
        return std::to_string(value / kTimes[2].factor) + "s";
    return format(value, kTimes, "s");
}

Result<std::uint64_t> parse_size(std::string_view text) {
    const Split parts = split(text);
    if (parts.number.empty())
        return failure("not a size; write a number and B, KiB, MiB or GiB, such as 32MiB");
    if (parts.unit.empty())
        return failure("a size needs a unit: B, KiB, MiB or GiB, such as 32MiB");
    const Unit* unit = find_unit(kSizes, parts.unit);
    if (unit == nullptr)
        return failure("not a unit of size; allowed are B, KiB, MiB and GiB, such as 32MiB");
    const auto value = scaled(parts.number, unit->factor, kLargest);
    if (!value)
        return failure("not a size between 0 and 1048576GiB; write it like 64KiB or 1.5GiB");
    return *value;
}

std::string format_size(std::uint64_t bytes) {
    return format(bytes, kSizes, "B");
}

}  // namespace weir::cli
