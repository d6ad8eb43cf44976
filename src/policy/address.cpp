#include "policy/address.h"

#include <algorithm>
#include <array>

namespace weir::policy {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::optional<std::uint32_t> small_number(std::string_view text, std::uint32_t most) {
    if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0'))
        return std::nullopt;
    std::uint32_t value = 0;
    for (const char c : text) {
        if (!is_digit(c))
            return std::nullopt;
        value = value * 10 + static_cast<std::uint32_t>(c - '0');
    }
    return value <= most ? std::optional(value) : std::nullopt;
}

// The first byte, which alone tells loopback; nullopt: not an IPv4 address.
std::optional<std::uint32_t> ipv4_first(std::string_view text) {
    std::optional<std::uint32_t> first;
    for (int part = 0; part < 4; ++part) {
        const std::size_t dot = part < 3 ? text.find('.') : text.size();
        if (dot == std::string_view::npos)
            return std::nullopt;
        const auto value = small_number(text.substr(0, dot), 255);
        if (!value)
            return std::nullopt;
        if (part == 0)
            first = value;
        if (part < 3)
            text.remove_prefix(dot + 1);
    }
    return first;
}

struct Ipv6 {
    std::array<std::uint16_t, 8> words{};
    bool loopback() const {
        bool zero = true;
        for (int i = 0; i < 5; ++i)
            zero = zero && words[static_cast<std::size_t>(i)] == 0;
        const bool one = words[5] == 0 && words[6] == 0 && words[7] == 1;
        const bool mapped = words[5] == 0xffff && words[6] >> 8 == 127;
        return zero && (one || mapped);
    }
};

std::optional<Ipv6> parse_ipv6(std::string_view text) {
    Ipv6 result;
    std::array<std::uint16_t, 8> tail{};
    std::size_t heads = 0;
    std::size_t tails = 0;
    bool gap = false;
    if (text.starts_with("::")) {
        gap = true;
        text.remove_prefix(2);
    }
    while (!text.empty()) {
        if (heads + tails >= 8)
            return std::nullopt;
        std::size_t end = 0;
        std::uint32_t word = 0;
        while (end < text.size() && end < 5 && is_hex(text[end])) {
            const char c = text[end++];
            word =
                word * 16 + static_cast<std::uint32_t>(is_digit(c) ? c - '0' : (c | 32) - 'a' + 10);
        }
        if (end < text.size() && text[end] == '.') {  // an IPv4 address may stand for the last two
            if (!ipv4_first(text) || heads + tails > 6)
                return std::nullopt;
            for (int half = 0; half < 2; ++half) {
                std::uint32_t pair = 0;
                for (int byte = 0; byte < 2; ++byte) {
                    const std::size_t dot = std::min(text.find('.'), text.size());
                    pair = pair * 256 + *small_number(text.substr(0, dot), 255);
                    text.remove_prefix(std::min(dot + 1, text.size()));
                }
                (gap ? tail[tails++] : result.words[heads++]) = static_cast<std::uint16_t>(pair);
            }
            break;
        }
        if (end == 0 || end > 4)
            return std::nullopt;
        (gap ? tail[tails++] : result.words[heads++]) = static_cast<std::uint16_t>(word);
        text.remove_prefix(end);
        if (text.empty())
            break;
        if (text.starts_with("::")) {
            if (gap)
                return std::nullopt;
            gap = true;
            text.remove_prefix(2);
        } else if (text.front() == ':' && text.size() > 1) {
            text.remove_prefix(1);
        } else {
            return std::nullopt;
        }
    }
    if (gap ? heads + tails > 7 : heads != 8)
        return std::nullopt;
    for (std::size_t i = 0; i < tails; ++i)
        result.words[8 - tails + i] = tail[i];
    return result;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return std::nullopt;
    const auto port = small_number(text.substr(colon + 1), 65535);
    std::string_view host = text.substr(0, colon);
    if (!port || host.empty())
        return std::nullopt;
    Address result;
    result.port = static_cast<std::uint16_t>(*port);
    if (host.front() == '[') {
        if (host.size() < 4 || host.back() != ']')
            return std::nullopt;
        host = host.substr(1, host.size() - 2);
        const auto ipv6 = parse_ipv6(host);
        if (!ipv6)
            return std::nullopt;
        result.loopback = ipv6->loopback();
    } else {
        const auto first = ipv4_first(host);
        if (!first)
            return std::nullopt;
        result.loopback = *first == 127;
    }
    result.host = host;
    return result;
}

bool is_http_url(std::string_view text) {
    if (text.starts_with("http://"))
        text.remove_prefix(7);
    else if (text.starts_with("https://"))
        text.remove_prefix(8);
    else
        return false;
    for (const char c : text) {
        if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f ||
            c == '@' || c == '?' || c == '#' || c == '"' || c == '\\')
            return false;
    }
    std::string_view authority = text.substr(0, text.find('/'));
    if (authority.starts_with('[')) {
        const std::size_t close = authority.find(']');
        if (close == std::string_view::npos || !parse_ipv6(authority.substr(1, close - 1)))
            return false;
        authority = authority.substr(close + 1);
        return authority.empty() || (authority.front() == ':' &&
                                     small_number(authority.substr(1), 65535).value_or(0) > 0);
    }
    const std::size_t colon = authority.find(':');
    if (colon != std::string_view::npos) {
        if (small_number(authority.substr(colon + 1), 65535).value_or(0) == 0)
            return false;
        authority = authority.substr(0, colon);
    }
    return !authority.empty() && authority.find_first_of("[]") == std::string_view::npos;
}

std::string without_user(std::string_view url) {
    const std::size_t scheme = url.find("://");
    const std::size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
    const std::size_t at = url.rfind('@');  // a password may hold a bare `/`, `?`, `#`, `@`
    if (at == std::string_view::npos || at < host) {
        return std::string(url);
    }
    return std::string(url.substr(0, host)) + "..." + std::string(url.substr(at));
}

}  // namespace weir::policy
