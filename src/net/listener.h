// One listening socket.
#pragma once

#include "net/server_state.h"

#include <asio/basic_socket_acceptor.hpp>

#include <memory>
#include <string>

namespace weir::net {

/// Accepts on its loop and hands each connection to the loop with the fewest. At
/// `max_connections`, and without descriptors, it pauses: clients wait in the kernel's queue.
class Listener {
public:
    Listener(std::shared_ptr<ServerState> state, Loop& loop);

    Result<void> open(const std::string& address);
    std::uint16_t port() const { return port_; }
    void start();
    /// Takes what has been connected already, then stops for good. On the loop.
    void stop();

private:
    using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

    void arm();
    void accept_all();
    void pause(std::string_view why);
    void hand_over(int descriptor, const asio::ip::tcp::endpoint& peer);
    bool full() const;

    std::shared_ptr<ServerState> state_;
    Loop& loop_;
    Acceptor acceptor_;
    Timer resume_;
    std::uint16_t port_ = 0;
    Instant said_{};
    bool stopped_ = false;
};

}  // namespace weir::net
