#include "gateway/header_rules.h"

#include <algorithm>
#include <array>
#include <span>

namespace weir::gateway {
namespace {

using codec::equals_ignore_case;

constexpr std::array<std::string_view, 23> kNotForwarded{"connection",
                                                         "keep-alive",
                                                         "te",
                                                         "trailer",
                                                         "transfer-encoding",
                                                         "upgrade",
                                                         "expect",
                                                         "accept-encoding",
                                                         "authorization",
                                                         "x-api-key",
                                                         "x-amz-date",
                                                         "x-amz-security-token",
                                                         "x-amz-content-sha256",
                                                         "cookie",
                                                         "host",
                                                         "content-length",
                                                         "via",
                                                         "x-amz-decoded-content-length",
                                                         "http2-settings",
                                                         "x-weir-deadline-ms",
                                                         "x-weir-priority",
                                                         "x-weir-client",
                                                         "x-weir-tag"};

constexpr std::array<std::string_view, 9> kNotReturned{
    "connection", "keep-alive",     "te",   "trailer",         "transfer-encoding",
    "upgrade",    "content-length", "date", "x-amzn-requestid"};

bool starts_with_ignore_case(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() &&
           equals_ignore_case(text.substr(0, prefix.size()), prefix);
}

/// Names, and whether one is among them: a look at their bits spares most names the comparing.
template <std::size_t N>
struct Names {
    const std::array<std::string_view, N>& names;
    std::uint64_t bits;

    explicit constexpr Names(const std::array<std::string_view, N>& of) : names(of), bits(0) {
        for (const std::string_view name : names) {
            bits |= codec::name_bit(name);
        }
    }
    bool have(std::string_view name) const {
        return (bits & codec::name_bit(name)) != 0 && compare(name);
    }

private:
    [[gnu::noinline]] bool compare(std::string_view name) const {
        return std::ranges::any_of(names, [name](auto n) { return equals_ignore_case(n, name); });
    }
};
constexpr Names kHopOrOurs(kNotForwarded);
constexpr Names kHopOrTheirs(kNotReturned);

constexpr std::array<std::string_view, 6> kSingle{
    "authorization", "content-length", "content-type", "host", "transfer-encoding", "x-api-key"};
constexpr Names kOnce(kSingle);

bool comes_once(std::string_view name) {
    return kOnce.have(name) || starts_with_ignore_case(name, "x-amz");
}

/// Calls `use` with each token of a comma-separated field value.
template <class Use>
void each_token(std::string_view value, Use use) {
    while (!value.empty()) {
        const auto comma = value.find(',');
        auto token = value.substr(0, comma);
        while (!token.empty() && (token.front() == ' ' || token.front() == '\t')) {
            token.remove_prefix(1);
        }
        while (!token.empty() && (token.back() == ' ' || token.back() == '\t')) {
            token.remove_suffix(1);
        }
        if (!token.empty()) {
            use(token);
        }
        value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
    }
}

bool named_by_connection(const codec::Head& head, std::string_view name) {
    bool named = false;
    for (const auto& field : head.fields) {
        if (equals_ignore_case(field.name, "connection")) {
            each_token(field.value, [&](auto token) { named |= equals_ignore_case(token, name); });
        }
    }
    return named;
}

}  // namespace

void append_forwarded_request_fields(std::string& out, const codec::Head& head,
                                     std::vector<std::string_view>& unknown_weir,
                                     std::span<const codec::Field> instead) {
    const bool has_connection = head.find("connection") != nullptr;
    for (const auto& [name, value] : head.fields) {
        if (kHopOrOurs.have(name) || starts_with_ignore_case(name, "proxy-")) {
            continue;
        }
        if (std::ranges::any_of(instead, [&](const codec::Field& field) {
                return equals_ignore_case(field.name, name);
            })) {
            continue;
        }
        if (starts_with_ignore_case(name, "x-weir-")) {
            unknown_weir.push_back(name);
            continue;
        }
        if (has_connection && named_by_connection(head, name)) {
            continue;
        }
        codec::append_field(out, name, value);
    }
    for (const auto& [name, value] : instead) {
        if (!value.empty()) {
            codec::append_field(out, name, value);
        }
    }
}

void append_forwarded_response_fields(std::string& out, const codec::Head& head) {
    const bool has_connection = head.find("connection") != nullptr;
    for (const auto& [name, value] : head.fields) {
        if (kHopOrTheirs.have(name) || starts_with_ignore_case(name, "proxy-") ||
            starts_with_ignore_case(name, "x-weir-")) {
            continue;
        }
        if (has_connection && named_by_connection(head, name)) {
            continue;
        }
        codec::append_field(out, name, value);
    }
}

std::string_view ambiguous_field(const codec::Head& head) {
    const auto& fields = head.fields;
    for (auto one = fields.begin(); one != fields.end(); ++one) {
        if (equals_ignore_case(one->name, "connection")) {
            std::string_view named;
            each_token(one->value, [&](std::string_view token) {
                if (comes_once(token)) {
                    named = token;
                }
            });
            if (!named.empty()) {
                return named;
            }
        } else if (comes_once(one->name) &&
                   std::any_of(one + 1, fields.end(), [&](const codec::Field& other) {
                       return equals_ignore_case(other.name, one->name);
                   })) {
            return one->name;
        }
    }
    return {};
}

}  // namespace weir::gateway
