#include "policy/otlp_pairs.h"

#include <algorithm>
#include <array>
#include <optional>

#include "policy/text.h"

namespace weir::policy {
namespace {

std::optional<std::string> decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const auto octet = percent_octet(text.substr(i));
        if (!octet)
            return std::nullopt;
        out += *octet;
        i += 2;
    }
    return out;
}

/// RFC 9110's token.
bool is_field_name(std::string_view name) {
    constexpr std::string_view kSigns = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::ranges::all_of(name, [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               kSigns.find(c) != std::string_view::npos;
    });
}

/// What weir writes itself, or a message's framing.
bool is_taken(std::string_view name) {
    static constexpr std::array<std::string_view, 6> kOurs{"content-type",   "content-encoding",
                                                           "content-length", "transfer-encoding",
                                                           "host",           "connection"};
    return std::ranges::any_of(kOurs, [&](std::string_view ours) {
        return std::ranges::equal(ours, name, {}, {},
                                  [](char c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; });
    });
}

std::string pair_text(std::size_t number) {
    return "pair " + std::to_string(number);
}

}  // namespace

Result<OtlpPairs> parse_otlp_pairs(std::string_view text) {
    OtlpPairs pairs;
    for (std::size_t number = 1; !trimmed(text).empty(); ++number) {
        const auto comma = text.find(',');
        const auto part = trimmed(text.substr(0, comma));
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
        if (part.empty())
            continue;
        const auto equals = part.find('=');
        const auto name = trimmed(part.substr(0, equals));
        if (equals == std::string_view::npos || name.empty())
            return failure(pair_text(number) +
                           " is not name=value; allowed is a list of those with commas between");
        const auto value = decoded(trimmed(part.substr(equals + 1)));
        if (!value)
            return failure("the value of " + pair_text(number) +
                           " is not percent-encoded: '%' needs two hexadecimal digits after it");
        pairs.emplace_back(name, *value);
    }
    return pairs;
}

Result<OtlpPairs> parse_otlp_headers(std::string_view text) {
    auto pairs = parse_otlp_pairs(text);
    if (!pairs)
        return pairs;
    std::size_t number = 0;
    for (const auto& [name, value] : *pairs) {
        ++number;
        if (!is_field_name(name))
            return failure("the name of " + pair_text(number) + " is no name of a header field");
        if (is_taken(name))
            return failure("the name of " + pair_text(number) + " is of a field that weir writes");
        if (std::ranges::any_of(value, [](char c) {
                return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
            }))
            return failure("the value of " + pair_text(number) +
                           " has a control character or a line end");
    }
    return pairs;
}

}  // namespace weir::policy
