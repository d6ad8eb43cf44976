// What is known of a socket between two events of the poller.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <utility>

namespace weir::net {

/// Reads and writes are system calls that are tried at once; the poller reports when to try again.
/// It is edge-triggered, so each flag keeps the known state until the next event:
///  - `dry`: the socket has nothing to read. After a short read, wait for the next event, unless
///    the peer has closed (`ended`): then there is no further event.
///  - `read_needs_room`: reading goes on when the send buffer has room. TLS answers a KeyUpdate
///    while it reads.
///  - `write_needs_bytes`: writing goes on when bytes come. TLS finishes the handshake message
///    that it has in part before it writes.
/// A coroutine is resumed only for the event that it waits for. Otherwise it would try, fail and
/// wait again in each turn of the loop, which costs a core.
class Readiness {
public:
    struct Resume {
        bool reader = false;
        bool writer = false;
    };

    /// The poller's events: who goes on?
    Resume report(std::uint32_t events) {
        if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
            ended_ = true;
        }
        const bool room = (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
        const bool bytes = (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0;
        if (bytes) {
            dry_ = false;
            news_ = true;
        }
        Resume resume;
        resume.reader = read_needs_room_ ? room : bytes;
        if (room) {
            read_needs_room_ = false;
        }
        if ((room && write_awaited_) || (bytes && write_needs_bytes_)) {
            write_awaited_ = write_needs_bytes_ = false;
            resume.writer = true;
        }
        return resume;
    }

    /// The writer waits for room.
    void await_room() { write_awaited_ = true; }
    /// The writer waits for bytes.
    void await_bytes() { write_needs_bytes_ = true; }
    /// Bytes were taken from the socket, maybe those that the writer needs: does it go on?
    bool resumes_writer() { return std::exchange(write_needs_bytes_, false); }

    void read_needs_room(bool yes) { read_needs_room_ = yes; }
    bool read_needs_room() const { return read_needs_room_; }

    /// The socket has been read, whatever came of it.
    void looked() { news_ = false; }
    /// Bytes were read. `emptied`: all that had come.
    void received(bool emptied) { dry_ = emptied && !ended_; }
    /// Nothing could be read. `emptied`: because nothing has come.
    void found_nothing(bool emptied) {
        looked();
        dry_ = emptied;
    }
    /// There may be bytes that the poller does not report again.
    void not_dry() { dry_ = false; }

    bool dry() const { return dry_; }
    /// Bytes or an end were reported since the last read or look.
    bool news() const { return news_; }

private:
    bool write_awaited_ = false;
    bool dry_ = false;
    bool read_needs_room_ = false;
    bool write_needs_bytes_ = false;
    bool news_ = false;
    bool ended_ = false;  // no more will come, or the connection is broken
};

}  // namespace weir::net
