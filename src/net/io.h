// The few Asio names that everything on sockets uses. Concrete executors: any_io_executor costs
// more than parsing a request does.
#pragma once

// First of all: Asio asks a macro of the standard library's how to allocate, and must get the same
// answer in every file, or one frees what another allocated differently.
#include <cstddef>

#include <asio/awaitable.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/use_awaitable.hpp>

#include <expected>
#include <string_view>
#include <system_error>

namespace weir::net {

using Executor = asio::io_context::executor_type;

template <class T>
using Task = asio::awaitable<T, Executor>;

/// Completion token: `auto [ec, n] = co_await socket.async_read_some(buffer, kTask);`
inline constexpr asio::experimental::as_tuple_t<asio::use_awaitable_t<Executor>> kTask{
    asio::use_awaitable_t<Executor>{}};

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
