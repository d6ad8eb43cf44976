// What the tests of sockets share: a server on threads of its own, and a raw client.
#pragma once

#include "net/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace weir::net::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline std::uint64_t test_seed() {
    const char* text = std::getenv("WEIR_SEED");
    return text != nullptr ? std::strtoull(text, nullptr, 10)
                           : static_cast<std::uint64_t>(
                                 std::chrono::steady_clock::now().time_since_epoch().count());
}

/// Waits for something that must come; false after ten seconds.
template <class Condition>
bool eventually(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) {
            return false;
        }
        std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
}

/// A blocking socket to 127.0.0.1, ten seconds' patience.
class Client {
public:
    explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const timeval patience{.tv_sec = 10, .tv_usec = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        const int at_once = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    }
    explicit Client(int accepted, std::nullptr_t) : fd_(accepted), connected_(true) {
        const int at_once = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    }
    ~Client() { close(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    bool connected() const { return connected_; }
    int fd() const { return fd_; }
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) {
                return false;
            }
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }
    /// "" at the end of file or on error; errno tells which (0: end of file).
    std::string receive(std::size_t most = 65536) {
        errno = 0;
        if (!held_.empty()) {
            std::string bytes = held_.substr(0, most);
            held_.erase(0, bytes.size());
            return bytes;
        }
        std::string bytes(most, '\0');
        const auto n = ::recv(fd_, bytes.data(), bytes.size(), 0);
        bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return bytes;
    }
    std::string receive_all() {
        std::string all;
        for (;;) {
            const std::string more = receive();
            if (more.empty()) {
                return all;
            }
            all += more;
        }
    }
    std::string receive_until(std::string_view mark) {
        std::string all;
        while (all.find(mark) == std::string::npos) {
            const std::string more = receive();
            if (more.empty()) {
                break;
            }
            all += more;
        }
        return all;
    }
    /// A whole answer with Content-Length.
    std::string receive_answer() {
        std::string all = receive_until("\r\n\r\n");
        const auto head = all.find("\r\n\r\n");
        const auto field = all.find("Content-Length: ");
        if (head == std::string::npos || field == std::string::npos || field > head) {
            return all;
        }
        const std::size_t whole = head + 4 + std::stoul(all.substr(field + 16));
        while (all.size() < whole) {
            const std::string more = receive(whole - all.size());
            if (more.empty()) {
                break;
            }
            all += more;
        }
        if (all.size() > whole) {  // the next answer's
            held_ = all.substr(whole) + held_;
            all.resize(whole);
        }
        return all;
    }
    void finish_writing() { ::shutdown(fd_, SHUT_WR); }
    void reset() {
        const linger now{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }
    void close() {
        if (fd_ >= 0) {
            ::close(fd_);
            fd_ = -1;
        }
    }

private:
    int fd_;
    bool connected_ = false;
    std::string held_;  // received, and not asked for yet
};

/// Loops on threads and a server on them, on a port of its own.
class Running {
public:
    explicit Running(Server::Handler handler, ServerSettings settings = {}, unsigned loops = 1) {
        for (unsigned i = 0; i < loops; ++i) {
            loops_.push_back(std::make_unique<Loop>(i));
        }
        std::vector<Loop*> pointers;
        pointers.reserve(loops_.size());
        for (const auto& loop : loops_) {
            pointers.push_back(loop.get());
        }
        if (settings.listen.empty()) {
            settings.listen = {"127.0.0.1:0"};
        }
        server_ = std::make_unique<Server>(pointers, std::move(settings), std::move(handler));
        const auto started = server_->start();
        if (!started) {
            std::abort();
        }
        for (const auto& loop : loops_) {
            loop->start();
        }
    }
    ~Running() {
        server_->close_all();
        for (const auto& loop : loops_) {
            loop->stop();
            loop->join();
        }
        server_.reset();
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    Server& server() { return *server_; }
    Loop& loop(std::size_t i = 0) { return *loops_[i]; }
    std::uint16_t port() const { return server_->ports().front(); }

private:
    std::vector<std::unique_ptr<Loop>> loops_;
    std::unique_ptr<Server> server_;
};

/// Reads a whole body; what went wrong, if something did.
inline Task<NetResult<std::string>> whole_body(Downstream& request) {
    std::string body;
    for (;;) {
        const auto piece = co_await request.read_body();
        if (!piece) {
            co_return std::unexpected(piece.error());
        }
        if (piece->empty()) {
            co_return std::move(body);
        }
        body += *piece;
    }
}

/// Answers "METHOD target body".
inline Task<void> echo(Downstream& request) {
    auto body = co_await whole_body(request);
    if (!body) {
        co_return;
    }
    std::string answer(request.head().method);
    answer += ' ';
    answer += request.head().target;
    answer += ' ';
    answer += *body;
    co_await request.send(200, "X-Test: yes\r\n", answer);
}

inline std::string body_of(const std::string& answer) {
    const auto head = answer.find("\r\n\r\n");
    return head == std::string::npos ? std::string() : answer.substr(head + 4);
}

}  // namespace weir::net::test
