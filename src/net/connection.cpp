#include "net/connection.h"

#include "net/http1_connection.h"
#include "net/http2_connection.h"

#include <unistd.h>

#include <new>
#include <utility>

namespace weir::net {

namespace {

// Each protocol's state stands in a frame of its own, so that a connection holds what it needs.

/// True: the client turned out to speak HTTP/2, and `first` is what it has sent.
Task<bool> speak_http1(Connection& connection, ReadBuffer& first) {
    Http1Connection speaker(connection);
    const bool http2 = co_await speaker.run();
    if (http2) {
        first = speaker.take_buffer();
    }
    co_return http2;
}

Task<void> speak_http2(Connection& connection, ReadBuffer& first) {
    Http2Connection speaker(connection);
    co_await speaker.run(first);
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerState> state, ServerLoop& home, Socket socket,
                       Address peer)
    : state_(std::move(state)), home_(home), stream_(home.loop, std::move(socket)), address_(peer) {
    stream_.set_write_stall(state_->write_timeout.load());
    next_ = home_.first;
    if (next_ != nullptr) {
        next_->previous_ = this;
    }
    home_.first = this;
}

Connection::~Connection() {
    (previous_ != nullptr ? previous_->next_ : home_.first) = next_;
    if (next_ != nullptr) {
        next_->previous_ = previous_;
    }
}

std::string_view Connection::peer() const {
    if (peer_.empty()) {
        peer_ = address_.to_string();
    }
    return peer_;
}

Task<bool> Connection::secure(bool& http2) {
    stream_.set_deadline(state_->head_timeout.load());
    auto tls = state_->tls()->accept_from();
    const TlsState& agreed = *tls;
    const auto secured = co_await stream_.start_tls(std::move(tls));
    if (!secured) {
        co_return false;
    }
    stream_.clear_deadline();
    http2 = agreed.alpn() == "h2";
    co_return true;
}

Task<void> Connection::run() {
    bool http2 = false;
    if (state_->has_tls() && !co_await secure(http2)) {
        co_return;
    }
    ReadBuffer first;
    if (!http2) {
        http2 = co_await speak_http1(*this, first);
    }
    if (http2) {
        co_await speak_http2(*this, first);
    }
    stream_.close();
}

Task<void> Connection::linger(Duration longest, std::size_t most) {
    stream_.rearm();
    stream_.shutdown_write();
    stream_.set_deadline(longest);
    ReadBuffer sink;
    sink.make_room();
    std::size_t total = 0;
    while (total < most) {
        const auto got = co_await stream_.read_some(sink.room());
        if (!got) {
            break;
        }
        total += *got;
    }
    stream_.clear_deadline();
}

Task<void> serve_connection(std::shared_ptr<ServerState> state, ServerLoop* home, int descriptor,
                            Address peer) {
    Socket socket(descriptor);
    if (!state->closing.load(std::memory_order_relaxed)) {
        try {
            Connection connection(state, *home, std::move(socket), peer);
            co_await connection.run();
        } catch (const std::bad_alloc&) {
            state->log("out of memory: a connection is closed");
        }
    }
    home->connections.fetch_sub(1, std::memory_order_relaxed);
}

void drain_connections(ServerLoop& home) {
    for (Connection* one = home.first; one != nullptr; one = one->next()) {
        one->drain();
    }
}

void close_connections(ServerLoop& home) {
    for (Connection* one = home.first; one != nullptr; one = one->next()) {
        one->cut();
    }
}

}  // namespace weir::net
