// Listen addresses and URLs as text: is this one, and does it stay on this machine?
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::policy {

struct Address {
    std::string host;  // IPv4, or IPv6 without its brackets
    std::uint16_t port = 0;
    bool loopback = false;
};

/// `127.0.0.1:7070`, `[::1]:7070`. Names are not addresses; port 0 (any) is one.
std::optional<Address> parse_address(std::string_view text);

/// `http://host[:port][/path]` or https, without user, query or fragment.
bool is_http_url(std::string_view text);

/// A URL without `user:password@`, for messages.
std::string without_user(std::string_view url);

}  // namespace weir::policy
