// One listening socket.
#pragma once

#include "net/server_state.h"

#include <memory>
#include <string>

namespace weir::net {

/// Accepts on its loop and hands each connection to the loop with the fewest. At
/// `max_connections`, and without descriptors, it pauses: clients wait in the kernel's queue.
class Listener final : Watched {
public:
    Listener(std::shared_ptr<ServerState> state, Loop& loop);
    ~Listener() override;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    Result<void> open(const std::string& address);
    std::uint16_t port() const { return port_; }
    Result<void> start();
    /// Accepts connections that are already established, then stops for good. On the loop.
    void stop();

private:
    void ready(std::uint32_t events) override;
    void accept_all();
    void stop_listening();
    void pause(std::string_view why);
    void hand_over(int descriptor, const Address& peer);
    bool full() const;

    std::shared_ptr<ServerState> state_;
    Loop& loop_;
    Socket socket_;
    Timer resume_;
    std::uint16_t port_ = 0;
    Instant said_{};
    bool stopped_ = false;
};

}  // namespace weir::net
