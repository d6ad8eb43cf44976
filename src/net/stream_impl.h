// What a stream waits for, and what the poller has told it.
#pragma once

#include "net/stream.h"
#include "net/tls.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

namespace weir::net {

inline NetFailure from_errno(int code) {
    NetFailure failed;
    failed.error = NetError::reset;
    failed.code = std::error_code(code, std::system_category());
    return failed;
}

/// How much one direction of a stream may move in one turn of the loop. A peer that is as fast as
/// we are would hold the loop for as long as it likes otherwise.
class TurnShare {
public:
    static constexpr std::size_t kBytes = 128UL << 10;

    std::size_t left(const Loop& loop) {
        if (turn_ != loop.turn()) {
            turn_ = loop.turn();
            moved_ = 0;
        }
        return moved_ < kBytes ? kBytes - moved_ : 0;
    }
    void took(std::size_t bytes) { moved_ += bytes; }

private:
    std::uint64_t turn_ = 0;
    std::size_t moved_ = 0;
};

/// Reads and writes are system calls tried at once; the poller says when to try again. It is
/// edge-triggered, so each flag keeps what is known until it tells again:
///  - `read_dry`: the socket has nothing to read. Never set by a short read once the peer has
///    `ended`: the end behind the bytes is not told a second time.
///  - `read_needs_room`: reading goes on when the send buffer has room. TLS answers a KeyUpdate
///    while it reads.
///  - `write_needs_bytes`: writing goes on when bytes come. TLS finishes the handshake message
///    that it has in part before it writes.
/// A coroutine is resumed only for what it waits for: resumed for anything else it would try, find
/// nothing and wait again, as often as the loop turns.
struct Stream::Impl final : Watched {
    /// Why a write stopped before its end.
    enum class Stop : std::uint8_t { room, bytes, turn };

    Impl(Loop& on, Socket with)
        : loop(on),
          socket(std::move(with)),
          reader(on),
          writer(on),
          deadline(
              on.wheel(), [](void* self) { static_cast<Impl*>(self)->fail(NetError::timeout); },
              this),
          stall(
              on.wheel(), [](void* self) { static_cast<Impl*>(self)->fail(NetError::timeout); },
              this) {}

    Loop& loop;
    Socket socket;
    Parked reader;
    Parked writer;
    Timer deadline;
    Timer stall;
    Duration stall_after{0};
    std::unique_ptr<TlsState> tls;
    Gone gone = nullptr;
    void* gone_context = nullptr;
    unsigned refs = 1;
    std::uint32_t watched = 0;  // events that the poller tells of
    TurnShare reads;
    TurnShare writes;
    Stop stop = Stop::room;
    bool bytes_end_watch = true;  // else bytes are told like an end
    bool look_posted = false;
    bool write_awaited = false;
    bool read_dry = false;
    bool read_needs_room = false;
    bool write_needs_bytes = false;
    bool news = false;   // told since the last read or look
    bool ended = false;  // no more will come, or the connection is broken
    bool woken = false;
    bool failed = false;  // `sticky` counts
    NetError sticky = NetError::closed;

    void release() {
        if (--refs == 0) {
            delete this;
        }
    }

    /// What the loop has of us: whether its handler is called or dropped at shutdown, it lets go
    /// once.
    struct Release {
        void operator()(Impl* impl) const { impl->release(); }
    };
    using Ref = std::unique_ptr<Impl, Release>;
    Ref keep() {
        ++refs;
        return Ref(this);
    }

    void watch_for(std::uint32_t events) {
        if ((watched | events) == watched) {
            return;
        }
        const std::uint32_t all = watched | events;
        Poller& poller = loop.poller();
        const int code = watched == 0 ? poller.add(socket.descriptor(), all, *this)
                                      : poller.modify(socket.descriptor(), all, *this);
        if (code == 0) {
            watched = all;
        } else {  // once who asks is waiting
            loop.post([impl = keep()] { impl->fail(NetError::reset); });
        }
    }

    /// readable() comes when there is something, soon if there may be already.
    void await_read() {
        const bool told_from_now = watched == 0;
        watch_for(EPOLLIN | EPOLLRDHUP);
        if (read_needs_room) {
            watch_for(EPOLLOUT);
        } else if ((!told_from_now && !read_dry) || reads.left(loop) == 0) {
            look_soon();
        }
    }

    void look_soon() {
        if (!std::exchange(look_posted, true)) {
            loop.post([impl = keep()] {
                impl->look_posted = false;
                impl->readable();
            });
        }
    }

    void await_write() {
        write_awaited = true;
        watch_for(EPOLLIN | EPOLLRDHUP | EPOLLOUT);
    }

    void await_bytes_to_write() {
        write_needs_bytes = true;
        watch_for(EPOLLIN | EPOLLRDHUP);
    }

    void ready(std::uint32_t events) override {
        const Ref kept = keep();
        if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
            ended = true;
        }
        const bool room = (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
        const bool bytes = (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0;
        if (bytes) {
            read_dry = false;
            news = true;
        }
        const bool read = read_needs_room ? room : bytes;
        if (room) {
            read_needs_room = false;
        }
        if ((room && write_awaited) || (bytes && write_needs_bytes)) {
            write_awaited = write_needs_bytes = false;
            writer.resume_now();
        }
        if (read) {
            readable();
        }
    }

    void readable() {
        if (reader.waiting()) {
            reader.resume_now();
        } else if (gone != nullptr) {
            look();
        }
    }

    /// For the watch: gone, disarmed by bytes, or nothing yet?
    void look() {
        bool tells = !socket.is_open();
        if (!tells) {
            const IoStep step = peek();
            if (blocked(step)) {
                await_read();
                return;
            }
            tells = step.kind == IoStep::Kind::failed || !bytes_end_watch;
        }
        const Gone tell = std::exchange(gone, nullptr);
        if (tells) {
            tell(gone_context);
        }
    }

    IoStep peek() {
        if (tls != nullptr) {
            return tls->peek();
        }
        char byte = 0;
        const auto n = ::recv(socket.descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        IoStep step;
        if (n > 0) {
            step.bytes = 1;
        } else if (n == 0) {
            step.kind = IoStep::Kind::failed;
        } else if (errno == EAGAIN || errno == EINTR) {
            step.kind = IoStep::Kind::want_read;
        } else {
            step.kind = IoStep::Kind::failed;
            step.failure = from_errno(errno);
        }
        return step;
    }

    /// Keeps what a step towards bytes has found out. True: it has to wait.
    bool blocked(const IoStep& step) {
        if (tls != nullptr && tls->took() && write_needs_bytes) {  // maybe what the writer needs
            write_needs_bytes = false;
            writer.resume();
        }
        read_needs_room = step.kind == IoStep::Kind::want_write;
        if (step.kind == IoStep::Kind::want_read) {
            news = false;
            read_dry = tls == nullptr || tls->drained();
        }
        return read_needs_room || step.kind == IoStep::Kind::want_read;
    }

    void fail(NetError why) {
        if (!failed) {
            failed = true;
            sticky = why;
        }
        reader.resume();
        writer.resume();
    }

    NetFailure why() const {
        NetFailure reason;
        reason.error = sticky;
        return reason;
    }

    /// Before and after a wait that is to end only when there is something. TLS may hold a whole
    /// record that the poller will not tell of, or a part of one, which is nothing yet.
    bool has_some() {
        if (reads.left(loop) == 0) {
            return false;
        }
        if (tls == nullptr && news) {
            return true;
        }
        if ((tls != nullptr && tls->pending()) || (watched != 0 && !read_dry)) {
            return !blocked(peek());
        }
        return false;
    }

    void let_go() {
        if (std::exchange(watched, 0) != 0) {
            loop.poller().remove(socket.descriptor(), *this);
        }
        socket.close();
    }

    void shut() {
        let_go();
        fail(NetError::closed);
        look_soon();  // a watch ends with the connection
    }
};

}  // namespace weir::net
