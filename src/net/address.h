// An IPv4 or IPv6 address with a port, as the system's calls take it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

namespace weir::net {

class Address {
public:
    Address() = default;

    /// "127.0.0.1", "::1", "fe80::1%eth0"; nothing: that is a name, or neither.
    static std::optional<Address> parse(const std::string& numeric, std::uint16_t port = 0);
    /// Of the families of IPv4 and IPv6; nothing: another.
    static std::optional<Address> from(const sockaddr& system);

    bool is_v6() const { return of_.base.sa_family == AF_INET6; }
    int family() const { return of_.base.sa_family; }
    std::uint16_t port() const;
    Address with_port(std::uint16_t port) const;
    /// "127.0.0.1:80", "[::1]:80".
    std::string to_string() const;

    const sockaddr* data() const { return &of_.base; }
    socklen_t size() const { return is_v6() ? sizeof of_.v6 : sizeof of_.v4; }

    bool operator==(const Address& other) const;

private:
    union Of {
        sockaddr base;
        sockaddr_in v4;
        sockaddr_in6 v6;
    };
    Of of_{.v6 = {}};
};

}  // namespace weir::net
