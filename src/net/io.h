// Results and errors of socket operations.
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
    interrupted,  // interrupt() was called: the client left, or the server stops
    dns,          // the name has no address
    connect,      // no answer from the address, or the proxy refused
    tls,          // handshake or certificate
    protocol,     // the peer violates RFC 9112
    too_large,    // more than a limit allows
};
std::string_view to_string(NetError error);

/// Trivially destructible on purpose: see the coroutine rule in tools/.
struct NetFailure {
    NetError error = NetError::closed;
    std::error_code code{};  // the system's or OpenSSL's code, if any

    bool operator==(const NetFailure&) const = default;
};

template <class T>
using NetResult = std::expected<T, NetFailure>;

}  // namespace weir::net
