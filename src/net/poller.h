// What a loop's sockets are ready for.
#pragma once

#include "net/io.h"

#include <asio/posix/basic_stream_descriptor.hpp>

#include <array>
#include <cstdint>

namespace weir::net {

/// Told, on the loop's thread, of what the kernel says of its descriptor. May end itself, others
/// and its registration meanwhile.
class Watched {
public:
    virtual ~Watched() = default;
    virtual void ready(std::uint32_t events) = 0;  // EPOLLIN, ...
};

/// An epoll set of our own inside asio's. Asio asks the kernel anew for every wait for readiness,
/// which costs a request more than all its reads do; a descriptor is registered here once, and the
/// kernel tells of each change once (edge-triggered): who is told reads or writes until there is no
/// more.
class Poller {
public:
    explicit Poller(asio::io_context& context);
    ~Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;

    /// What is ready already is told soon. Not zero: the system's error.
    int add(int descriptor, std::uint32_t events, Watched& whom);
    int modify(int descriptor, std::uint32_t events, Watched& whom);
    /// Tells `whom` no more. Before the descriptor is closed.
    void remove(int descriptor, const Watched& whom);

private:
    void arm();
    void tell();

    int epoll_;
    asio::posix::basic_stream_descriptor<Executor> descriptor_;  // owns epoll_
    std::array<void*, 128> telling_{};                           // null: removed meanwhile
    std::size_t told_ = 0;
    std::size_t total_ = 0;
};

}  // namespace weir::net
