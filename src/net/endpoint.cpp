#include "net/upstream.h"

#include "codec/base64.h"
#include "codec/hex.h"
#include "net/address.h"

#include <cctype>
#include <charconv>
#include <cstdlib>

namespace weir::net {

namespace {

struct Url {
    bool tls = false;
    bool default_port = false;
    std::string user;  // "name:password" as written
    std::string host;
    std::uint16_t port = 0;
    std::string path;
};

/// Fit for a message: who signs in, and with what, is nobody's business.
std::string without_password(std::string_view url) {
    const auto scheme = url.find("://");
    const auto from = scheme == std::string_view::npos ? 0 : scheme + 3;
    const auto at = url.rfind('@');
    std::string out(url);
    if (at != std::string_view::npos && at >= from) {
        out.replace(from, at - from, "***");
    }
    return out;
}

Result<Url> parse_url(std::string_view text) {
    const std::string whole = without_password(text);
    Url url;
    if (text.starts_with("https://")) {
        url.tls = true;
        text.remove_prefix(8);
    } else if (text.starts_with("http://")) {
        text.remove_prefix(7);
    } else {
        return failure("'" + whole + "' must begin with http:// or https://");
    }
    for (const char c : text) {
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) {
            return failure("'" + whole + "' must not contain spaces or control characters");
        }
    }
    const auto path = text.find_first_of("/?#");
    std::string_view authority = text.substr(0, path);
    if (path != std::string_view::npos) {
        url.path = text.substr(path);
        if (url.path.find_first_of("?#") != std::string::npos) {
            return failure("'" + whole + "' must not have a query or a fragment");
        }
        while (url.path.ends_with('/')) {
            url.path.pop_back();
        }
    }
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
        url.user = authority.substr(0, at);
        authority.remove_prefix(at + 1);
    }
    std::string_view port;
    if (authority.starts_with('[')) {
        const auto close = authority.find(']');
        if (close == std::string_view::npos) {
            return failure("'" + whole + "' has a '[' without its ']'");
        }
        url.host = authority.substr(1, close - 1);
        if (const auto address = Address::parse(url.host); !address || !address->is_v6()) {
            return failure("'" + whole + "': '" + url.host + "' is not an IPv6 address");
        }
        port = authority.substr(close + 1);
        if (!port.empty() && port.front() != ':') {
            return failure("'" + whole + "' has something odd after ']'");
        }
    } else {
        const auto colon = authority.find(':');
        url.host = authority.substr(0, colon);
        if (colon != std::string_view::npos) {
            port = authority.substr(colon);
        }
    }
    if (url.host.empty()) {
        return failure("'" + whole + "' has no host");
    }
    url.port = url.tls ? 443 : 80;
    url.default_port = true;
    if (!port.empty()) {
        port.remove_prefix(1);
        const auto parsed = std::from_chars(port.data(), port.data() + port.size(), url.port);
        if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() || url.port == 0) {
            return failure("'" + whole + "': the port must be a number from 1 to 65535");
        }
        url.default_port = url.port == (url.tls ? 443 : 80);
    }
    return url;
}

std::string environment(const char* upper, const char* lower) {
    for (const char* name : {lower, upper}) {
        if (const char* value = std::getenv(name); value != nullptr && *value != '\0') {
            return value;
        }
    }
    return {};
}

/// NO_PROXY: names separated by commas; a name covers its subdomains; "*" covers all.
bool excepted(std::string_view host, std::string_view list) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        std::string_view entry = list.substr(0, comma);
        list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
        while (entry.starts_with(' ')) {
            entry.remove_prefix(1);
        }
        while (entry.ends_with(' ')) {
            entry.remove_suffix(1);
        }
        if (entry == "*") {
            return true;
        }
        while (entry.starts_with('.')) {
            entry.remove_prefix(1);
        }
        if (entry.empty() || host.size() < entry.size()) {
            continue;
        }
        const auto tail = host.substr(host.size() - entry.size());
        if (codec::equals_ignore_case(tail, entry) &&
            (host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.')) {
            return true;
        }
    }
    return false;
}

}  // namespace

Result<Endpoint> Endpoint::parse(std::string_view url, std::string_view ca,
                                 std::string_view proxy) {
    auto parsed = parse_url(url);
    if (!parsed) {
        return std::unexpected(parsed.error());
    }
    if (!parsed->user.empty()) {
        return failure("'" + without_password(url) + "' must not carry a user name or password");
    }
    Endpoint endpoint;
    endpoint.tls = parsed->tls;
    endpoint.host = parsed->host;
    endpoint.port = parsed->port;
    endpoint.path_prefix = parsed->path;
    endpoint.ca = ca;
    endpoint.authority =
        parsed->host.find(':') != std::string::npos ? "[" + parsed->host + "]" : parsed->host;
    if (!parsed->default_port) {
        endpoint.authority += ":" + std::to_string(parsed->port);
    }
    std::string through(proxy);
    if (through.empty() && endpoint.tls &&
        !excepted(endpoint.host, environment("NO_PROXY", "no_proxy"))) {
        through = environment("HTTPS_PROXY", "https_proxy");
        if (!through.empty() && through.find("://") == std::string::npos) {
            through = "http://" + through;
        }
    }
    if (!through.empty()) {
        auto by = parse_url(through);
        if (!by) {
            return failure("proxy: " + by.error().message);
        }
        if (by->tls) {
            return failure("proxy: '" + without_password(through) +
                           "': only http:// proxies are spoken to");
        }
        endpoint.proxy_host = by->host;
        endpoint.proxy_port = by->port;
        if (!by->user.empty()) {
            endpoint.proxy_authorization =
                "Basic " + codec::base64_encoded(codec::percent_decoded(by->user));
        }
    }
    return endpoint;
}

}  // namespace weir::net
