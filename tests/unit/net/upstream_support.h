// A server that does as it is told, and a caller that waits for the pool's answer.
#pragma once

#include "net/upstream.h"
#include "unit/net/support.h"

#include <atomic>
#include <cerrno>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace weir::net::test {

inline constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Accepts, and runs the script with each connection on a thread of its own.
class ScriptedPeer {
public:
    explicit ScriptedPeer(std::function<void(Client&)> script)
        : script_(std::move(script)), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) {
            throw std::system_error(errno, std::generic_category(), "bind");
        }
        ::listen(fd_, 16);
        socklen_t size = sizeof at;
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
        port_ = ntohs(at.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~ScriptedPeer() {
        ::shutdown(fd_, SHUT_RDWR);
        thread_.join();
        ::close(fd_);
    }
    ScriptedPeer(const ScriptedPeer&) = delete;
    ScriptedPeer& operator=(const ScriptedPeer&) = delete;

    Endpoint endpoint() const {
        return *Endpoint::parse("http://127.0.0.1:" + std::to_string(port_));
    }
    int accepted() const { return accepted_; }

private:
    void run() {
        std::vector<std::thread> threads;
        std::vector<int> descriptors;
        for (;;) {
            const int one = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
            if (one < 0) {
                break;
            }
            ++accepted_;
            descriptors.push_back(::dup(one));
            threads.emplace_back([this, one] {
                Client client(one, nullptr);
                script_(client);
                ::shutdown(client.fd(), SHUT_RDWR);
            });
        }
        for (const int one : descriptors) {
            ::shutdown(one, SHUT_RDWR);
        }
        for (auto& thread : threads) {
            thread.join();
        }
        for (const int one : descriptors) {
            ::close(one);
        }
    }

    std::function<void(Client&)> script_;
    int fd_;
    std::uint16_t port_ = 0;
    std::atomic<int> accepted_{0};
    std::thread thread_;
};

struct Got {
    int status = 0;
    std::string body;
    bool reused = false;
    bool any_bytes = false;
    std::optional<NetFailure> failure;
};

/// A loop with one pool on it.
class Caller {
public:
    explicit Caller(Endpoint endpoint, PoolSettings settings = {}, Resolver* resolver = nullptr)
        : pool_(loop_, std::move(endpoint), settings, &counts, resolver) {
        loop_.start();
    }
    ~Caller() {
        std::promise<void> closed;
        loop_.post([&] {
            pool_.close_idle();
            closed.set_value();
        });
        closed.get_future().wait();
        loop_.stop();
        loop_.join();
    }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;

    Got exchange(std::string_view request, bool fresh = false) {
        std::promise<Got> promise;
        loop_.post([&] { loop_.spawn(run(std::string(request), fresh, promise)); });
        return promise.get_future().get();
    }

    Loop& loop() { return loop_; }
    Pool& pool() { return pool_; }

    PoolCounts counts;
    Duration read_deadline{};
    Duration interrupt_after{};

private:
    Task<void> run(std::string request, bool fresh, std::promise<Got>& promise) {
        Got got;
        struct Later {
            Pool::Interrupt interrupt;
            Upstream* upstream = nullptr;
        } later;
        Timer timer(
            loop_.wheel(),
            [](void* context) {
                auto& what = *static_cast<Later*>(context);
                what.interrupt.raise();
                if (what.upstream != nullptr) {
                    what.upstream->interrupt();
                }
            },
            &later);
        if (interrupt_after > Duration::zero()) {
            timer.set_after(interrupt_after);
        }
        auto connection = co_await pool_.acquire(fresh, later.interrupt);
        if (!connection) {
            got.failure = connection.error();
        } else {
            Upstream& upstream = **connection;
            later.upstream = &upstream;
            got.reused = upstream.reused();
            if (read_deadline > Duration::zero()) {
                upstream.set_deadline(read_deadline);
            }
            co_await talk(upstream, request, got);
            got.any_bytes = upstream.any_bytes_received();
            timer.clear();
            const bool clean = !got.failure;
            pool_.release(std::move(*connection), clean);
        }
        promise.set_value(std::move(got));
    }

    static Task<void> talk(Upstream& upstream, const std::string& request, Got& got) {
        const auto written = co_await upstream.write(request, std::string_view());
        if (!written) {
            got.failure = written.error();
            co_return;
        }
        const auto head = co_await upstream.read_head();
        if (!head) {
            got.failure = head.error();
            co_return;
        }
        got.status = (*head)->status;
        for (;;) {
            const auto piece = co_await upstream.read_body();
            if (!piece) {
                got.failure = piece.error();
                co_return;
            }
            if (piece->empty()) {
                co_return;
            }
            got.body += *piece;
        }
    }

    Loop loop_{0};
    Pool pool_;
};

}  // namespace weir::net::test
