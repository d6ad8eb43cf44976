// Formatting of one access log line. It runs on the path of every request: room for the longest
// that it can become is made once, and then written into without looking.
#include "observe/access_log.h"
#include "observe/utf8.h"

#include <algorithm>
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

using Bytes [[gnu::vector_size(16)]] = signed char;

/// Sixteen bytes at a time: whether all of them are plain. Those above 0x7F are negative.
bool all_plain(const char* at) {
    Bytes bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    const Bytes odd = (bytes < 0x20) | (bytes == 0x7F) | (bytes == '"') | (bytes == '\\');
    std::array<std::uint64_t, 2> any{};
    std::memcpy(any.data(), &odd, sizeof odd);
    return (any[0] | any[1]) == 0;
}

// The most that a byte of a field becomes: \u00XX.
constexpr std::size_t kMostOfByte = 6;
// More than all names, numbers and the time together.
constexpr std::size_t kMostElse = 1024;

void put_digits(char* at, unsigned value, int count) {
    for (int i = count - 1; i >= 0; --i) {
        at[i] = static_cast<char>('0' + value % 10);
        value /= 10;
    }
}

/// Writes into room that is known to be enough.
class Line {
public:
    explicit Line(char* at) : at_(at) {}

    const char* end() const { return at_; }

    void put(std::string_view text) {
        std::memcpy(at_, text.data(), text.size());
        at_ += text.size();
    }

    void string(std::string_view text) {
        if (text.empty()) {
            put("null");
            return;
        }
        put("\"");
        const std::size_t end = std::min(text.size(), kMaxField);
        std::size_t at = put_plain(text.substr(0, end));
        for (; at < end; at += put_plain(text.substr(at, end - at))) {
            if (text[at] == '"' || text[at] == '\\') {
                put("\\");
                put(text.substr(at++, 1));
                continue;
            }
            const Character character = character_at(text.substr(at));
            if (character.size == 0) {
                put(kReplacement);
                ++at;
                continue;
            }
            if (at + character.size > end) {
                break;  // the cut falls inside this character
            }
            const std::string_view bytes = text.substr(at, character.size);
            if (character.control) {
                put_escape(static_cast<std::uint8_t>(bytes.back()));
            } else {
                put(bytes);
            }
            at += character.size;
        }
        put("\"");
    }

    template <class Number>
    void number(Number value) {
        at_ = std::to_chars(at_, at_ + 24, value).ptr;
    }

    template <class Number>
    void optional(const std::optional<Number>& value) {
        if (value) {
            number(*value);
        } else {
            put("null");
        }
    }

    /// A decimal number without noughts at its end.
    void dollars(const std::optional<std::uint64_t>& nanodollars) {
        if (!nanodollars) {
            put("null");
            return;
        }
        constexpr std::uint64_t kNano = 1'000'000'000;
        number(*nanodollars / kNano);
        if (auto part = *nanodollars % kNano; part > 0) {
            int digits = 9;
            for (; part % 10 == 0; part /= 10) {
                --digits;
            }
            put(".");
            put_digits(at_, static_cast<unsigned>(part), digits);
            at_ += digits;
        }
    }

    void time(std::int64_t unix_ms) {
        // Years 0 to 9999, what the format can hold.
        constexpr std::int64_t kFirst = -62'167'219'200'000;
        constexpr std::int64_t kLast = 253'402'300'799'999;
        const std::chrono::sys_time<std::chrono::milliseconds> time{
            std::chrono::milliseconds(std::clamp(unix_ms, kFirst, kLast))};
        const auto day = std::chrono::floor<std::chrono::days>(time);
        const std::chrono::year_month_day date{day};
        const auto of_day = static_cast<unsigned>((time - day).count());
        char* const text = at_;
        put("0000-00-00T00:00:00.000Z");
        put_digits(text, static_cast<unsigned>(static_cast<int>(date.year())), 4);
        put_digits(text + 5, static_cast<unsigned>(date.month()), 2);
        put_digits(text + 8, static_cast<unsigned>(date.day()), 2);
        put_digits(text + 11, of_day / 3'600'000, 2);
        put_digits(text + 14, of_day / 60'000 % 60, 2);
        put_digits(text + 17, of_day / 1000 % 60, 2);
        put_digits(text + 20, of_day % 1000, 3);
    }

private:
    /// The bytes at the start that go in as they are; how many those are.
    std::size_t put_plain(std::string_view text) {
        constexpr std::size_t kStep = sizeof(Bytes);
        std::size_t run = 0;
        for (; run + kStep <= text.size() && all_plain(text.data() + run); run += kStep) {
            std::memcpy(at_ + run, text.data() + run, kStep);
        }
        // What is left over is looked at together with some of what was there before it.
        const std::size_t last = text.size() - std::min(text.size(), kStep);
        if (run > last && run < text.size() && all_plain(text.data() + last)) {
            std::memcpy(at_ + last, text.data() + last, kStep);
            run = text.size();
        }
        for (; run < text.size() && kPlain[static_cast<std::uint8_t>(text[run])]; ++run) {
            at_[run] = text[run];
        }
        at_ += run;
        return run;
    }

    void put_escape(unsigned code) {
        constexpr std::string_view kHex = "0123456789abcdef";
        put("\\u00");
        put(kHex.substr(code >> 4U, 1));
        put(kHex.substr(code & 15U, 1));
    }

    char* at_;
};

std::size_t most_bytes(const AccessRecord& record) {
    std::size_t most = kMostElse;
    for (const std::string_view text :
         {record.id, record.upstream_request_id, record.sdk_invocation_id, record.client,
          record.operation, record.model, record.tag, record.target_account, record.target_region,
          record.target_model, record.endpoint, record.tier, record.error, record.reason,
          record.outcome}) {
        most += kMostOfByte * std::min(text.size(), kMaxField);
    }
    return most;
}

void write_line(Line& line, const AccessRecord& record) {
    line.put(R"({"ts":")");
    line.time(record.unix_ms);
    line.put(R"(","id":)");
    line.string(record.id);
    line.put(R"(,"upstream_request_id":)");
    line.string(record.upstream_request_id);
    line.put(R"(,"sdk_invocation_id":)");
    line.string(record.sdk_invocation_id);
    line.put(R"(,"sdk_attempt":)");
    line.optional(record.sdk_attempt > 0 ? std::optional<std::int64_t>(record.sdk_attempt)
                                         : std::nullopt);
    line.put(R"(,"client":)");
    line.string(record.client);
    line.put(R"(,"operation":)");
    line.string(record.operation);
    line.put(R"(,"model":)");
    line.string(record.model);
    line.put(R"(,"tag":)");
    line.string(record.tag);
    line.put(R"(,"target_account":)");
    line.string(record.target_account);
    line.put(R"(,"target_region":)");
    line.string(record.target_region);
    line.put(R"(,"target_model":)");
    line.string(record.target_model);
    line.put(R"(,"endpoint":)");
    line.string(record.endpoint);
    line.put(R"(,"tier":)");
    line.string(record.tier);
    line.put(R"(,"status":)");
    line.optional(record.status > 0 ? std::optional<std::int64_t>(record.status) : std::nullopt);
    line.put(R"(,"error":)");
    line.string(record.error);
    line.put(R"(,"reason":)");
    line.string(record.reason);
    line.put(R"(,"attempts":)");
    line.number(std::uint64_t{record.attempts});
    line.put(R"(,"queued_ms":)");
    line.number(record.queued_ms);
    line.put(R"(,"ttft_ms":)");
    line.optional(record.ttft_ms);
    line.put(R"(,"total_ms":)");
    line.number(record.total_ms);
    line.put(R"(,"estimated_input":)");
    line.optional(record.estimated_input);
    line.put(R"(,"reserved":)");
    line.optional(record.reserved);
    line.put(R"(,"input":)");
    line.optional(record.input);
    line.put(R"(,"output":)");
    line.optional(record.output);
    line.put(R"(,"cache_read":)");
    line.optional(record.cache_read);
    line.put(R"(,"cache_write":)");
    line.optional(record.cache_write);
    line.put(R"(,"max_tokens":)");
    line.optional(record.max_tokens);
    line.put(R"(,"cost_usd":)");
    line.dollars(record.cost_nanodollars);
    line.put(R"(,"stream":)");
    line.put(record.stream ? "true" : "false");
    line.put(R"(,"outcome":)");
    line.string(record.outcome);
    line.put("}");
}

}  // namespace

void append_access_line(std::string& out, const AccessRecord& record) {
    const std::size_t before = out.size();
    out.resize_and_overwrite(before + most_bytes(record), [&](char* text, std::size_t) {
        Line line(text + before);
        write_line(line, record);
        return static_cast<std::size_t>(line.end() - text);
    });
}

}  // namespace weir::observe
