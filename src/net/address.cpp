#include "net/address.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>
#include <cstring>

namespace weir::net {

std::optional<Address> Address::parse(const std::string& numeric, std::uint16_t port) {
    in_addr v4{};
    if (::inet_pton(AF_INET, numeric.c_str(), &v4) == 1) {
        Address made;
        made.of_.v4.sin_family = AF_INET;
        made.of_.v4.sin_addr = v4;
        return made.with_port(port);
    }
    if (numeric.find(':') == std::string::npos) {
        return std::nullopt;
    }
    addrinfo hints{};  // inet_pton knows no zones
    hints.ai_family = AF_INET6;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* list = nullptr;
    if (::getaddrinfo(numeric.c_str(), nullptr, &hints, &list) != 0) {
        return std::nullopt;
    }
    auto made = from(*list->ai_addr);
    ::freeaddrinfo(list);
    return made ? std::optional(made->with_port(port)) : std::nullopt;
}

std::optional<Address> Address::from(const sockaddr& system) {
    Address made;
    if (system.sa_family == AF_INET) {
        std::memcpy(&made.of_.v4, &system, sizeof made.of_.v4);
    } else if (system.sa_family == AF_INET6) {
        std::memcpy(&made.of_.v6, &system, sizeof made.of_.v6);
    } else {
        return std::nullopt;
    }
    return made;
}

std::uint16_t Address::port() const {
    return ntohs(is_v6() ? of_.v6.sin6_port : of_.v4.sin_port);
}

Address Address::with_port(std::uint16_t port) const {
    Address made = *this;
    (is_v6() ? made.of_.v6.sin6_port : made.of_.v4.sin_port) = htons(port);
    return made;
}

std::string Address::to_string() const {
    std::array<char, NI_MAXHOST> host{};
    if (::getnameinfo(data(), size(), host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
        return "unknown";
    }
    const std::string text = host.data();
    return (is_v6() ? "[" + text + "]" : text) + ":" + std::to_string(port());
}

bool Address::operator==(const Address& other) const {
    return size() == other.size() && std::memcmp(data(), other.data(), size()) == 0;
}

}  // namespace weir::net
