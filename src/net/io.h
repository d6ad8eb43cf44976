// What everything on sockets returns.
#pragma once

#include "net/task.h"

#include <cstdint>
#include <expected>
#include <string_view>
#include <system_error>

namespace weir::net {

enum class NetError : std::uint8_t {
    closed,       // orderly end of file
    reset,        // the connection broke
    timeout,      // a deadline passed
    interrupted,  // somebody called interrupt(): the client left, or the server stops
    dns,          // the name has no address
    connect,      // nobody answers there, or the proxy would not connect us
    tls,          // handshake or certificate
    protocol,     // the peer does not speak HTTP/1.1 as RFC 9112 has it
    too_large,    // more than a limit allows
};
std::string_view to_string(NetError error);

/// Trivially destructible on purpose: see the coroutine rule in tools/.
struct NetFailure {
    NetError error = NetError::closed;
    std::error_code code{};  // the system's or OpenSSL's word, where there is one

    bool operator==(const NetFailure&) const = default;
};

template <class T>
using NetResult = std::expected<T, NetFailure>;

}  // namespace weir::net
