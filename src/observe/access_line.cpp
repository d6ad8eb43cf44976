// Formatting of one access log line. It runs on the path of every request, so it appends straight
// into the caller's buffer and allocates nothing of its own.
#include "observe/access_log.h"
#include "observe/utf8.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstring>

namespace weir::observe {
namespace {

constexpr std::size_t kMaxField = 2048;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Bytes that go into a JSON string as they are.
constexpr std::array<bool, 256> make_plain() {
    std::array<bool, 256> plain{};
    for (std::size_t c = 0x20; c < 0x7F; ++c) {
        plain[c] = c != '"' && c != '\\';
    }
    return plain;
}
constexpr auto kPlain = make_plain();

/// Eight bytes at a time: whether all of them are plain.
bool all_plain(const char* at) {
    constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
    constexpr std::uint64_t kHigh = kOnes * 0x80;
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    const auto has = [word](unsigned char c) {
        const std::uint64_t x = word ^ (kOnes * c);
        return (x - kOnes) & ~x;
    };
    const std::uint64_t low = (word - kOnes * 0x20) & ~word;
    return ((word | low | has('"') | has('\\') | has(0x7F)) & kHigh) == 0;
}

void append_escape(std::string& out, unsigned code) {
    constexpr std::string_view kHex = "0123456789abcdef";
    out += "\\u00";
    out += kHex[code >> 4U];
    out += kHex[code & 15U];
}

void append_string(std::string& out, std::string_view text) {
    if (text.empty()) {
        out += "null";
        return;
    }
    out += '"';
    const std::size_t end = text.size() < kMaxField ? text.size() : kMaxField;
    std::size_t at = 0;
    while (at < end) {
        std::size_t run = at;
        while (run + 8 <= end && all_plain(text.data() + run)) {
            run += 8;
        }
        while (run < end && kPlain[static_cast<std::uint8_t>(text[run])]) {
            ++run;
        }
        out.append(text, at, run - at);
        at = run;
        if (at == end) {
            break;
        }
        if (text[at] == '"' || text[at] == '\\') {
            out += '\\';
            out += text[at++];
            continue;
        }
        const Character character = character_at(text.substr(at));
        if (character.size == 0) {
            out += kReplacement;
            ++at;
        } else if (at + character.size > end) {
            break;  // the cut falls inside this character
        } else if (character.control) {
            append_escape(out, static_cast<std::uint8_t>(text[at + character.size - 1]));
            at += character.size;
        } else {
            out.append(text, at, character.size);
            at += character.size;
        }
    }
    out += '"';
}

void append_number(std::string& out, std::int64_t value) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(digits.data(), end);
}

void append_number(std::string& out, std::uint64_t value) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(digits.data(), end);
}

template <class T>
void append_optional(std::string& out, const std::optional<T>& value) {
    if (value) {
        append_number(out, *value);
    } else {
        out += "null";
    }
}

void put_digits(char* at, unsigned value, int count) {
    for (int i = count - 1; i >= 0; --i) {
        at[i] = static_cast<char>('0' + value % 10);
        value /= 10;
    }
}

void append_time(std::string& out, std::int64_t unix_ms) {
    // Years 0 to 9999, what the format can hold.
    constexpr std::int64_t kFirst = -62'167'219'200'000;
    constexpr std::int64_t kLast = 253'402'300'799'999;
    unix_ms = unix_ms < kFirst ? kFirst : unix_ms > kLast ? kLast : unix_ms;
    const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(unix_ms)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const auto of_day = static_cast<unsigned>((time - day).count());
    std::array<char, 24> text{};
    std::memcpy(text.data(), "0000-00-00T00:00:00.000Z", text.size());
    put_digits(&text[0], static_cast<unsigned>(static_cast<int>(date.year())), 4);
    put_digits(&text[5], static_cast<unsigned>(date.month()), 2);
    put_digits(&text[8], static_cast<unsigned>(date.day()), 2);
    put_digits(&text[11], of_day / 3'600'000, 2);
    put_digits(&text[14], of_day / 60'000 % 60, 2);
    put_digits(&text[17], of_day / 1000 % 60, 2);
    put_digits(&text[20], of_day % 1000, 3);
    out.append(text.data(), text.size());
}

}  // namespace

void append_access_line(std::string& out, const AccessRecord& record) {
    out.reserve(out.size() + 1024);
    out += R"({"ts":")";
    append_time(out, record.unix_ms);
    out += R"(","id":)";
    append_string(out, record.id);
    out += R"(,"upstream_request_id":)";
    append_string(out, record.upstream_request_id);
    out += R"(,"sdk_invocation_id":)";
    append_string(out, record.sdk_invocation_id);
    out += R"(,"sdk_attempt":)";
    append_optional(out, record.sdk_attempt > 0 ? std::optional<std::int64_t>(record.sdk_attempt)
                                                : std::nullopt);
    out += R"(,"client":)";
    append_string(out, record.client);
    out += R"(,"operation":)";
    append_string(out, record.operation);
    out += R"(,"model":)";
    append_string(out, record.model);
    out += R"(,"target_region":)";
    append_string(out, record.target_region);
    out += R"(,"target_model":)";
    append_string(out, record.target_model);
    out += R"(,"endpoint":)";
    append_string(out, record.endpoint);
    out += R"(,"tier":)";
    append_string(out, record.tier);
    out += R"(,"status":)";
    append_optional(out,
                    record.status > 0 ? std::optional<std::int64_t>(record.status) : std::nullopt);
    out += R"(,"error":)";
    append_string(out, record.error);
    out += R"(,"reason":)";
    append_string(out, record.reason);
    out += R"(,"attempts":)";
    append_number(out, std::uint64_t{record.attempts});
    out += R"(,"queued_ms":)";
    append_number(out, record.queued_ms);
    out += R"(,"ttft_ms":)";
    append_optional(out, record.ttft_ms);
    out += R"(,"total_ms":)";
    append_number(out, record.total_ms);
    out += R"(,"estimated_input":)";
    append_optional(out, record.estimated_input);
    out += R"(,"reserved":)";
    append_optional(out, record.reserved);
    out += R"(,"input":)";
    append_optional(out, record.input);
    out += R"(,"output":)";
    append_optional(out, record.output);
    out += R"(,"cache_read":)";
    append_optional(out, record.cache_read);
    out += R"(,"cache_write":)";
    append_optional(out, record.cache_write);
    out += R"(,"max_tokens":)";
    append_optional(out, record.max_tokens);
    out += R"(,"stream":)";
    out += record.stream ? "true" : "false";
    out += R"(,"outcome":)";
    append_string(out, record.outcome);
    out += '}';
}

}  // namespace weir::observe
