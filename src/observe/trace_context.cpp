#include "observe/trace_context.h"

#include "policy/text.h"

#include <weir/split_mix.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

namespace weir::observe {
namespace {

constexpr unsigned kSampled = 1;
constexpr unsigned kRandom = 2;
constexpr std::size_t kLongestXray = 1024;
constexpr std::size_t kLongestState = 512;
constexpr std::size_t kLongMember = 128;
constexpr std::size_t kMostMembers = 32;

/// Lower-case digits alone, as the W3C has it.
std::optional<std::uint64_t> parse_hex(std::string_view text) {
    std::uint64_t value = 0;
    for (const char c : text) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) {
            return std::nullopt;
        }
        value = value << 4U | static_cast<unsigned>(digit ? c - '0' : c - 'a' + 10);
    }
    return value;
}

/// The two digits of each byte.
constexpr auto kPairs = [] {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<std::array<char, 2>, 256> pairs{};
    for (std::size_t byte = 0; byte < pairs.size(); ++byte) {
        pairs[byte] = {kDigits[byte >> 4U], kDigits[byte & 15U]};
    }
    return pairs;
}();

/// The last so many digits, an even number; the place behind them.
char* put_hex(char* at, std::uint64_t value, std::size_t digits) {
    for (std::size_t left = digits; left > 0; value >>= 8U) {
        left -= 2;
        std::memcpy(at + left, kPairs[value & 255U].data(), 2);
    }
    return at + digits;
}

/// Calls `use` with each part between two `separator`s, without blanks round it.
template <class Use>
void each_part(std::string_view text, char separator, Use use) {
    while (true) {
        const auto end = text.find(separator);
        use(policy::trimmed(text.substr(0, end)));
        if (end == std::string_view::npos) {
            return;
        }
        text.remove_prefix(end + 1);
    }
}

struct KeyValue {
    std::string_view key;
    std::string_view value;
};

KeyValue split(std::string_view part) {
    const auto equals = part.find('=');
    return equals == std::string_view::npos
               ? KeyValue{part, {}}
               : KeyValue{part.substr(0, equals), part.substr(equals + 1)};
}

/// Of X-Ray's Root: `1-`, 8 digits of time, `-`, 24 digits.
std::optional<TraceId> parse_root(std::string_view value) {
    if (value.size() != 35 || !value.starts_with("1-") || value[10] != '-') {
        return std::nullopt;
    }
    const auto time = parse_hex(value.substr(2, 8));
    const auto upper = parse_hex(value.substr(11, 8));
    const auto low = parse_hex(value.substr(19));
    if (!time || !upper || !low) {
        return std::nullopt;
    }
    const TraceId id{*time << 32U | *upper, *low};
    return id.valid() ? std::optional(id) : std::nullopt;
}

/// A member of tracestate may hold printable ASCII alone, with one key.
bool is_member(std::string_view part) {
    const auto equals = part.find('=');
    return equals != std::string_view::npos && equals > 0 && equals + 1 < part.size() &&
           part.find('=', equals + 1) == std::string_view::npos &&
           std::ranges::all_of(part, [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

std::string hex(TraceId id) {
    std::string text(32, '0');
    put_hex(put_hex(text.data(), id.high, 16), id.low, 16);
    return text;
}

std::string hex_span(SpanId id) {
    std::string text(16, '0');
    put_hex(text.data(), id, 16);
    return text;
}

std::optional<TraceContext> parse_traceparent(std::string_view value) {
    constexpr std::size_t kSize = Traceparent().size();  // later versions may add parts after these
    if (value.size() < kSize || value[2] != '-' || value[35] != '-' || value[52] != '-') {
        return std::nullopt;
    }
    const auto version = parse_hex(value.substr(0, 2));
    const auto high = parse_hex(value.substr(3, 16));
    const auto low = parse_hex(value.substr(19, 16));
    const auto parent = parse_hex(value.substr(36, 16));
    const auto flags = parse_hex(value.substr(53, 2));
    if (!version || !high || !low || !parent || !flags || *version == 0xff) {
        return std::nullopt;
    }
    if (value.size() > kSize && (*version == 0 || value[kSize] != '-')) {
        return std::nullopt;
    }
    TraceContext context;
    context.trace = {*high, *low};
    context.parent = *parent;
    context.sampled = (*flags & kSampled) != 0;
    context.random = (*flags & kRandom) != 0;
    if (!context.trace.valid() || context.parent == 0) {
        return std::nullopt;
    }
    return context;
}

std::optional<TraceContext> parse_xray(std::string_view value) {
    if (value.size() > kLongestXray) {
        return std::nullopt;
    }
    std::optional<TraceId> root;
    TraceContext context;
    each_part(value, ';', [&](std::string_view part) {
        const auto [key, text] = split(part);
        if (key == "Root" && !root) {
            root = parse_root(text);
        } else if (key == "Parent" && text.size() == 16) {
            context.parent = parse_hex(text).value_or(0);
        } else if (key == "Sampled" && (text == "0" || text == "1")) {
            context.sampled = text == "1";
        }
    });
    if (!root) {
        return std::nullopt;
    }
    context.trace = *root;
    return context;
}

std::string joined_tracestate(std::span<const std::string_view> lines) {
    std::vector<std::string_view> members;
    std::size_t size = 0;
    bool malformed = false;
    for (const std::string_view line : lines) {
        each_part(line, ',', [&](std::string_view part) {
            if (part.empty()) {  // allowed between two commas
                return;
            }
            malformed = malformed || !is_member(part);
            members.push_back(part);
            size += part.size() + 1;
        });
    }
    if (malformed || members.empty()) {
        return {};
    }
    const auto over = [&] { return size > kLongestState + 1; };
    for (auto one = members.end(); over() && one != members.begin();) {
        --one;
        if (one->size() > kLongMember) {
            size -= one->size() + 1;
            one = members.erase(one);
        }
    }
    while (!members.empty() && (over() || members.size() > kMostMembers)) {
        size -= members.back().size() + 1;
        members.pop_back();
    }
    std::string joined;
    for (const std::string_view member : members) {
        joined.append(joined.empty() ? "" : ",").append(member);
    }
    return joined;
}

bool in_trace_sample(TraceId id, double share) {
    constexpr double kAll = 0x1p56;
    const auto threshold = static_cast<std::uint64_t>(std::llround((1 - share) * kAll));
    return (id.low & ((std::uint64_t{1} << 56U) - 1)) >= threshold;
}

SpanId attempt_span(SpanId request, std::uint32_t attempt) {
    SplitMix64 mixed(request + attempt * 0xbf58476d1ce4e5b9ULL);
    SpanId id = mixed.next();
    while (id == 0 || id == request) {
        id = mixed.next();
    }
    return id;
}

Traceparent traceparent(const RequestTrace& trace, SpanId span) {
    Traceparent text{'0', '0'};
    char* at = text.data() + 2;
    const auto part = [&](std::uint64_t value, std::size_t digits) {
        at = put_hex(at, value, digits);
    };
    *at++ = '-';
    part(trace.caller.trace.high, 16);
    part(trace.caller.trace.low, 16);
    *at++ = '-';
    part(span, 16);
    *at++ = '-';
    part((trace.sampled ? kSampled : 0U) | (trace.caller.random ? kRandom : 0U), 2);
    return text;
}

std::string xray_field(std::string_view callers, const RequestTrace& trace, SpanId span) {
    const auto context = parse_xray(callers);
    if (!context || context->trace != trace.caller.trace) {
        return std::string(callers);
    }
    std::string text;
    bool parent = false;
    each_part(callers, ';', [&](std::string_view part) {
        const auto [key, value] = split(part);
        if (part.empty() || (key == "Parent" && parent)) {
            return;
        }
        text += text.empty() ? "" : ";";
        if (key == "Parent") {
            text += "Parent=" + hex_span(span);
            parent = true;
        } else if (key == "Sampled" && value == "?") {
            text += trace.sampled ? "Sampled=1" : "Sampled=0";
        } else {
            text += part;
        }
    });
    return parent ? text : text + ";Parent=" + hex_span(span);
}

}  // namespace weir::observe
