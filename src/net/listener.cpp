#include "net/listener.h"

#include <asio/ip/v6_only.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <new>
#include <utility>

namespace weir::net {

namespace {

constexpr Duration kPause = std::chrono::milliseconds(50);
constexpr int kBatch = 64;  // accepted in one go before others on the loop have their turn

Result<asio::ip::tcp::endpoint> parse_address(const std::string& text) {
    const auto wrong = [&text](const char* what) {
        return failure("'" + text + "': " + what + "; write 127.0.0.1:7070 or [::1]:7070");
    };
    const auto colon = text.rfind(':');
    if (colon == std::string::npos) {
        return wrong("the port is missing");
    }
    std::string host = text.substr(0, colon);
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
        return wrong("the port must be a number from 0 to 65535");
    }
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string::npos) {
        return wrong("an IPv6 address stands in brackets");
    }
    if (host == "localhost") {
        host = "127.0.0.1";
    }
    std::error_code code;
    const auto address = asio::ip::make_address(host, code);
    if (code) {
        return wrong("not an address");
    }
    return asio::ip::tcp::endpoint(address, port);
}

}  // namespace

Listener::Listener(std::shared_ptr<ServerState> state, Loop& loop)
    : state_(std::move(state)),
      loop_(loop),
      acceptor_(loop.executor()),
      resume_(loop.wheel(), [](void* self) { static_cast<Listener*>(self)->accept_all(); }, this) {}

Result<void> Listener::open(const std::string& address) {
    const auto endpoint = parse_address(address);
    if (!endpoint) {
        return std::unexpected(endpoint.error());
    }
    std::error_code code;
    acceptor_.open(endpoint->protocol(), code);
    if (!code) {
        acceptor_.set_option(asio::socket_base::reuse_address(true), code);
    }
    if (!code && endpoint->address().is_v6()) {
        acceptor_.set_option(asio::ip::v6_only(true), code);
    }
    if (!code) {
        acceptor_.bind(*endpoint, code);
    }
    if (!code) {
        acceptor_.listen(asio::socket_base::max_listen_connections, code);
    }
    if (!code) {
        acceptor_.native_non_blocking(true, code);
    }
    if (code) {
        return failure("cannot listen on " + address + ": " + code.message());
    }
    port_ = acceptor_.local_endpoint(code).port();
    return {};
}

void Listener::start() {
    arm();
}

void Listener::arm() {
    acceptor_.async_wait(Acceptor::wait_read, [this](const std::error_code& code) {
        if (!code) {  // else cancelled: `this` may be gone
            accept_all();
        }
    });
}

bool Listener::full() const {
    std::size_t total = 0;
    for (const auto& one : state_->loops) {
        total += one->connections.load(std::memory_order_relaxed);
    }
    return total >= state_->settings.max_connections;
}

void Listener::accept_all() {
    if (stopped_) {
        return;
    }
    for (int i = 0; i < kBatch; ++i) {
        if (full()) {
            pause("the limit of connections is reached; new ones wait");
            return;
        }
        asio::ip::tcp::endpoint peer;
        auto size = static_cast<socklen_t>(peer.capacity());
        const int descriptor =
            ::accept4(acceptor_.native_handle(), peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) {
            peer.resize(size);
            hand_over(descriptor, peer);
            continue;
        }
        switch (errno) {
            case EMFILE:
            case ENFILE:
            case ENOBUFS:
            case ENOMEM:
                pause(std::strerror(errno));
                return;
            case EINTR:
            case ECONNABORTED:
                continue;
            default:
                break;
        }
        break;
    }
    arm();  // tells at once if there are more
}

void Listener::pause(std::string_view why) {
    const Instant now = std::chrono::steady_clock::now();
    if (now - said_ >= std::chrono::seconds(1)) {
        said_ = now;
        state_->log("accepting pauses: " + std::string(why));
    }
    resume_.set_after(kPause);
}

void Listener::hand_over(int descriptor, const asio::ip::tcp::endpoint& peer) {
    ServerLoop* const fewest =
        std::min_element(state_->loops.begin(), state_->loops.end(),
                         [](const auto& a, const auto& b) {
                             return a->connections.load(std::memory_order_relaxed) <
                                    b->connections.load(std::memory_order_relaxed);
                         })
            ->get();
    fewest->connections.fetch_add(1, std::memory_order_relaxed);
    fewest->loop.post([state = state_, fewest, descriptor, peer] {
        try {
            fewest->loop.spawn(serve_connection(state, fewest, descriptor, peer));
        } catch (const std::bad_alloc&) {
            ::close(descriptor);
            fewest->connections.fetch_sub(1, std::memory_order_relaxed);
        }
    });
}

void Listener::stop() {
    if (!stopped_) {
        accept_all();
        stopped_ = true;
        resume_.clear();
        std::error_code ignored;
        acceptor_.close(ignored);
    }
}

}  // namespace weir::net
