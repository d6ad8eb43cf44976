// State that the listeners and the connections of one server share.
#pragma once

#include "net/address.h"
#include "net/log_limit.h"
#include "net/server.h"
#include "net/tls.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
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
    ServerSettings settings;  // its limits are those of the start; the current ones are below
    Server::Handler handler;
    std::atomic<Duration> head_timeout{ServerLimits().head_timeout};
    std::atomic<Duration> idle_timeout{ServerLimits().idle_timeout};
    std::atomic<Duration> write_timeout{ServerLimits().write_timeout};
    std::atomic<std::size_t> max_connections{ServerLimits().max_connections};
    std::atomic<std::size_t> max_head{ServerLimits().max_head};
    std::vector<std::unique_ptr<ServerLoop>> loops;
    std::atomic<bool> draining{false};
    std::atomic<bool> closing{false};

    void log(std::string_view line) const {
        if (settings.log) {
            settings.log(line);
        }
    }
    /// For warnings that a client can cause at will: one line a second, with a count.
    void complain(std::string_view line) {
        std::optional<std::uint64_t> left_out;
        {
            const std::scoped_lock lock(complaints_mutex);
            left_out = complaints.admit(std::chrono::steady_clock::now());
        }
        if (!left_out) {
            return;
        }
        if (*left_out == 0) {
            log(line);
        } else {
            log(std::string(line) + " (" + std::to_string(*left_out) +
                " more warnings about clients since the last one)");
        }
    }

    void set_limits(const ServerLimits& limits) {
        head_timeout = limits.head_timeout;
        idle_timeout = limits.idle_timeout;
        write_timeout = limits.write_timeout;
        max_connections = limits.max_connections;
        max_head = limits.max_head;
    }

    bool has_tls() const { return settings.tls.has_value(); }
    /// The context of the next handshake. A connection keeps the one that it began with.
    std::shared_ptr<TlsContext> tls() const {
        const std::scoped_lock lock(tls_mutex_);
        return tls_;
    }
    void set_tls(std::shared_ptr<TlsContext> tls) {
        const std::scoped_lock lock(tls_mutex_);
        tls_ = std::move(tls);
    }

private:
    mutable std::mutex tls_mutex_;
    std::shared_ptr<TlsContext> tls_;
    std::mutex complaints_mutex;
    LogLimit complaints;  // guarded by complaints_mutex
};

/// Serves one accepted socket until it ends. Runs on `home`'s loop and takes `descriptor`.
Task<void> serve_connection(std::shared_ptr<ServerState> state, ServerLoop* home, int descriptor,
                            Address peer);
/// On the loop: ends what is idle, or everything.
void drain_connections(ServerLoop& home);
void close_connections(ServerLoop& home);

}  // namespace weir::net
