// What the listeners and the connections of one server share.
#pragma once

#include "net/address.h"
#include "net/server.h"
#include "net/tls.h"

#include <atomic>
#include <memory>
#include <string_view>
#include <vector>

namespace weir::net {

class Connection;

/// One loop's part. The list is touched on the loop alone, the counts are read by anyone.
struct ServerLoop {
    explicit ServerLoop(Loop& on) : loop(on) {}

    Loop& loop;
    Connection* first = nullptr;
    std::atomic<std::size_t> connections{0};  // counted from accept on
    std::atomic<std::size_t> active{0};
    std::atomic<std::size_t> streams{0};  // HTTP/2 requests under way
};

/// Kept by the server and by each of its connections, so that the last one out may be either.
struct ServerState {
    ServerSettings settings;
    Server::Handler handler;
    std::unique_ptr<TlsContext> tls;
    std::vector<std::unique_ptr<ServerLoop>> loops;
    std::atomic<bool> draining{false};
    std::atomic<bool> closing{false};

    void log(std::string_view line) const {
        if (settings.log) {
            settings.log(line);
        }
    }
};

/// Serves one accepted socket until it ends. Runs on `home`'s loop and takes `descriptor`.
Task<void> serve_connection(std::shared_ptr<ServerState> state, ServerLoop* home, int descriptor,
                            Address peer);
/// On the loop: ends what is idle, or everything.
void drain_connections(ServerLoop& home);
void close_connections(ServerLoop& home);

}  // namespace weir::net
