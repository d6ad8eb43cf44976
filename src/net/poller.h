// What a loop's sockets are ready for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::net {

/// Told, on the loop's thread, of what the kernel says of its descriptor. May end itself, others
/// and its registration meanwhile.
class Watched {
public:
    virtual ~Watched() = default;
    virtual void ready(std::uint32_t events) = 0;  // EPOLLIN, ...
};

/// An epoll set. A descriptor is registered once, and the kernel tells of each change once
/// (edge-triggered): who is told reads or writes until there is no more.
class Poller {
public:
    Poller();
    ~Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;

    /// What is ready already is told soon. Not zero: the system's error.
    int add(int descriptor, std::uint32_t events, Watched& whom);
    /// The same for one that is there: what is ready is told again.
    int modify(int descriptor, std::uint32_t events, Watched& whom);
    /// Tells `whom` no more. Before the descriptor is closed.
    void remove(int descriptor, const Watched& whom);

    /// Tells what there is; `wait`: not before there is something. How many were told.
    std::size_t tell(bool wait);

private:
    int epoll_;
    std::array<void*, 128> telling_{};  // null: removed meanwhile
    std::size_t told_ = 0;
    std::size_t total_ = 0;
};

}  // namespace weir::net
