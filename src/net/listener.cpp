#include "net/listener.h"

#include "net/inherited.h"

#include <sys/epoll.h>
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

Result<Address> parse_address(const std::string& text) {
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
    const auto address = Address::parse(host, port);
    if (!address) {
        return wrong("not an address");
    }
    return *address;
}

}  // namespace

Listener::Listener(std::shared_ptr<ServerState> state, Loop& loop)
    : state_(std::move(state)),
      loop_(loop),
      resume_(loop.wheel(), [](void* self) { static_cast<Listener*>(self)->accept_all(); }, this) {}

Result<void> Listener::open(const std::string& address) {
    const auto wanted = parse_address(address);
    if (!wanted) {
        return std::unexpected(wanted.error());
    }
    socket_ = take_inherited(*wanted);
    if (socket_.is_open()) {
        port_ = wanted->port();
        return {};
    }
    socket_ = Socket(::socket(wanted->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int fd = socket_.descriptor();
    const int on = 1;
    sockaddr_in6 got{};  // room for either family
    socklen_t size = sizeof got;
    auto* const name = reinterpret_cast<sockaddr*>(&got);
    if (!socket_.is_open() || ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (wanted->is_v6() && ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        ::bind(fd, wanted->data(), wanted->size()) != 0 || ::listen(fd, SOMAXCONN) != 0 ||
        ::getsockname(fd, name, &size) != 0) {
        return failure("cannot listen on " + address + ": " +
                       std::system_category().message(errno));
    }
    port_ = Address::from(*name)->port();
    return {};
}

Listener::~Listener() {
    stop_listening();
}

Result<void> Listener::start() {
    if (const int code = loop_.poller().add(socket_.descriptor(), EPOLLIN, *this); code != 0) {
        return failure("cannot listen: " + std::system_category().message(code));
    }
    return {};
}

void Listener::ready(std::uint32_t /*events*/) {
    accept_all();
}

bool Listener::full() const {
    std::size_t total = 0;
    for (const auto& one : state_->loops) {
        total += one->connections.load(std::memory_order_relaxed);
    }
    return total >= state_->max_connections.load();
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
        sockaddr_in6 from{};  // room for either family
        socklen_t size = sizeof from;
        auto* const name = reinterpret_cast<sockaddr*>(&from);
        const int descriptor =
            ::accept4(socket_.descriptor(), name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) {
            hand_over(descriptor, Address::from(*name).value_or(Address()));
            continue;
        }
        switch (errno) {
            case EAGAIN:
                return;
            case EINTR:
            case ECONNABORTED:
                continue;
            default:  // descriptors or memory, say, or an error of the network's (accept(2))
                pause(std::strerror(errno));
                return;
        }
    }
    // The kernel tells once of what came: of the rest, let it tell again.
    loop_.poller().modify(socket_.descriptor(), EPOLLIN, *this);
}

void Listener::pause(std::string_view why) {
    const Instant now = std::chrono::steady_clock::now();
    if (now - said_ >= std::chrono::seconds(1)) {
        said_ = now;
        state_->log("accepting pauses: " + std::string(why));
    }
    resume_.set_after(kPause);
}

void Listener::hand_over(int descriptor, const Address& peer) {
    ServerLoop* const fewest =
        std::min_element(state_->loops.begin(), state_->loops.end(),
                         [](const auto& a, const auto& b) {
                             return a->connections.load(std::memory_order_relaxed) <
                                    b->connections.load(std::memory_order_relaxed);
                         })
            ->get();
    fewest->connections.fetch_add(1, std::memory_order_relaxed);
    const auto give_up = [fewest, descriptor] {
        ::close(descriptor);
        fewest->connections.fetch_sub(1, std::memory_order_relaxed);
    };
    try {
        fewest->loop.post([state = state_, fewest, descriptor, peer, give_up] {
            try {
                fewest->loop.spawn(serve_connection(state, fewest, descriptor, peer));
            } catch (const std::bad_alloc&) {
                give_up();
            }
        });
    } catch (const std::bad_alloc&) {
        give_up();
    }
}

void Listener::stop() {
    if (!stopped_) {
        accept_all();
        stopped_ = true;
        resume_.clear();
        stop_listening();
    }
}

void Listener::stop_listening() {
    if (socket_.is_open()) {
        loop_.poller().remove(socket_.descriptor(), *this);
        socket_.close();
    }
}

}  // namespace weir::net
