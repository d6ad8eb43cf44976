// One accepted connection, before its protocol is known.
#pragma once

#include "net/buffer.h"
#include "net/server_state.h"

#include <memory>
#include <string>

namespace weir::net {

/// The protocol on a connection, once it is known.
class Speaker {
public:
    virtual ~Speaker() = default;
    /// No more requests than those under way.
    virtual void drain() = 0;
};

/// In its loop's list from accept to close. Does the TLS handshake if there is TLS, learns whether
/// the client speaks HTTP/1.1 or HTTP/2 (ALPN, or the preface), and runs that protocol.
class Connection {
public:
    Connection(std::shared_ptr<ServerState> state, ServerLoop& home, Socket socket, Address peer);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    Task<void> run();
    void drain() {
        if (speaker_ != nullptr) {
            speaker_->drain();
        }
    }
    void cut() { stream_.abort(); }
    Connection* next() const { return next_; }

    const std::shared_ptr<ServerState>& state() const { return state_; }
    ServerLoop& home() { return home_; }
    Stream& stream() { return stream_; }
    std::string_view peer() const;
    void speak(Speaker* speaker) { speaker_ = speaker; }

    /// Closing with unread bytes makes the kernel send a reset, which may overtake the answer. So
    /// this shuts down writing, then reads and discards until the client closes, the time is over
    /// or more than `most` bytes have come.
    Task<void> linger(Duration longest, std::size_t most);

private:
    /// Unset: the handshake failed.
    Task<bool> secure(bool& http2);

    std::shared_ptr<ServerState> state_;
    ServerLoop& home_;
    Stream stream_;
    Address address_;
    mutable std::string peer_;
    Speaker* speaker_ = nullptr;
    Connection* previous_ = nullptr;
    Connection* next_ = nullptr;
};

}  // namespace weir::net
