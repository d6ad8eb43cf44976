// A way to the server that delays, cuts and garbles.
#pragma once

#include "unit/shared/support.h"

#include <poll.h>

#include <array>

namespace weir::shared::test {

/// Each connection is carried by a thread of its own. The trouble is of the direction to the
/// client, and holds from the next piece on.
class Proxy {
public:
    explicit Proxy(std::uint16_t to)
        : to_(to), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at);
        ::listen(fd_, 64);
        socklen_t size = sizeof at;
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
        port_ = ntohs(at.sin_port);
        acceptor_ = std::thread([this] { accept_all(); });
    }
    ~Proxy() {
        ended_ = true;
        acceptor_.join();
        for (std::thread& one : carriers_) {
            one.join();
        }
        ::close(fd_);
    }
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;

    std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }
    void cut() { ++cuts_; }  // the connections that there are

    std::atomic<int> delay_ms{0};
    std::atomic<bool> garble{false};
    std::atomic<bool> bite{false};  // forward half of the next piece, then cut

private:
    void accept_all() {
        while (!ended_) {
            pollfd news{.fd = fd_, .events = POLLIN, .revents = 0};
            if (::poll(&news, 1, 10) == 1) {
                const int one = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
                carriers_.emplace_back([this, one] { carry(one); });
            }
        }
    }

    void carry(int accepted) {
        Client client(accepted, nullptr);
        Client server(to_);
        const int cuts = cuts_;
        std::minstd_rand random(static_cast<unsigned>(accepted));
        while (!ended_ && cuts_ == cuts) {
            std::array<pollfd, 2> news{pollfd{.fd = client.fd(), .events = POLLIN, .revents = 0},
                                       pollfd{.fd = server.fd(), .events = POLLIN, .revents = 0}};
            if (::poll(news.data(), news.size(), 5) <= 0) {
                continue;
            }
            if (news[0].revents != 0) {
                const std::string bytes = client.receive();
                if (bytes.empty() || !server.send(bytes)) {
                    return;
                }
            }
            if (news[1].revents != 0) {
                std::string bytes = server.receive();
                std::this_thread::sleep_for(milliseconds(delay_ms));
                if (garble && !bytes.empty()) {
                    bytes[random() % bytes.size()] = static_cast<char>(random());
                }
                const bool bitten = bite.exchange(false);
                if (bitten) {
                    bytes.resize(bytes.size() / 2);
                }
                if (bytes.empty() || !client.send(bytes) || bitten) {
                    return;
                }
            }
        }
    }

    std::uint16_t to_;
    int fd_;
    std::uint16_t port_ = 0;
    std::atomic<bool> ended_{false};
    std::atomic<int> cuts_{0};
    std::thread acceptor_;
    std::vector<std::thread> carriers_;
};

}  // namespace weir::shared::test
