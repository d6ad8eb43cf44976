#include "policy/store_url.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "policy/text.h"

namespace weir::policy {

namespace {

constexpr std::string_view kForm =
    "; allowed is redis:// or rediss://[USER:PASSWORD@]HOST[:PORT][/DATABASE]";

std::string percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto octet = percent_octet(text.substr(i));
        out += octet.value_or(text[i]);
        i += octet ? 2 : 0;
    }
    return out;
}

template <class T>
bool read_number(std::string_view digits, T& into) {
    const auto end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, into);
    return read.ec == std::errc() && read.ptr == end;
}

bool is_host(std::string_view text, bool bracketed) {
    return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_' || (bracketed && (c == ':' || c == '%'));
    });
}

Result<StoreUrl> refused(std::string_view why) {
    return failure(std::string(why) + std::string(kForm));
}

}  // namespace

Result<StoreUrl> parse_store_url(std::string_view url) {
    StoreUrl parsed;
    if (url.empty())
        return refused("is missing");
    if (url.starts_with("rediss://")) {
        parsed.tls = true;
        url.remove_prefix(9);
    } else if (url.starts_with("redis://")) {
        url.remove_prefix(8);
    } else {
        return refused("must begin with redis:// or rediss://");
    }
    // The last one: neither a host nor a database has any, and a password may.
    if (const auto at = url.rfind('@'); at != std::string_view::npos) {
        const std::string_view login = url.substr(0, at);
        url.remove_prefix(at + 1);
        const auto colon = login.find(':');
        if (colon == std::string_view::npos || colon + 1 == login.size())
            return refused("has no password before the '@'");
        parsed.user = percent_decoded(login.substr(0, colon));
        parsed.password = percent_decoded(login.substr(colon + 1));
    }
    const auto slash = url.find('/');
    std::string_view authority = url.substr(0, slash);
    if (slash != std::string_view::npos && slash + 1 < url.size()) {
        if (!read_number(url.substr(slash + 1), parsed.database) || parsed.database > 65535)
            return refused("must end with the number of a database after the '/'");
    }
    const bool bracketed = authority.starts_with('[');
    std::string_view port;
    if (bracketed) {
        const auto close = authority.find(']');
        if (close == std::string_view::npos)
            return refused("has a '[' without its ']'");
        parsed.host = authority.substr(1, close - 1);
        port = authority.substr(close + 1);
        if (!port.empty() && port.front() != ':')
            return refused("has something between ']' and the port");
    } else {
        const auto colon = std::min(authority.find(':'), authority.size());
        parsed.host = authority.substr(0, colon);
        port = authority.substr(colon);
    }
    if (!is_host(parsed.host, bracketed))
        return refused(parsed.host.empty() ? "has no host"
                                           : "has a host that is no name and no address");
    if (!port.empty() && (!read_number(port.substr(1), parsed.port) || parsed.port == 0))
        return refused("must have a port from 1 to 65535");
    return parsed;
}

}  // namespace weir::policy
