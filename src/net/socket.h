// A TCP socket's descriptor, and who owns it.
#pragma once

#include <sys/socket.h>

#include <span>
#include <string_view>
#include <utility>

namespace weir::net {

/// recv(2), send(2) and sendmsg(2) without waiting and without SIGPIPE. glibc's own are
/// cancellation points, which costs a call two atomic operations as soon as there are two threads;
/// nobody cancels a thread here.
ssize_t receive(int descriptor, std::span<char> into);
ssize_t transmit(int descriptor, std::string_view bytes);
ssize_t transmit(int descriptor, const msghdr& message);

/// Closes what it holds.
class Socket {
public:
    Socket() = default;
    explicit Socket(int descriptor) : descriptor_(descriptor) {}
    ~Socket() { close(); }
    Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        close();
        descriptor_ = std::exchange(other.descriptor_, -1);
        return *this;
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    bool is_open() const { return descriptor_ >= 0; }
    int descriptor() const { return descriptor_; }
    void close();

private:
    int descriptor_ = -1;
};

}  // namespace weir::net
