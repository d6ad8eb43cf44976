// The waits of a stream, and the events that the poller has reported.
#pragma once

#include "net/readiness.h"
#include "net/stream.h"
#include "net/tls.h"
#include "net/watch.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

namespace weir::net {

inline NetFailure from_errno(int code) {
    NetFailure failed;
    failed.error = NetError::reset;
    failed.code = std::error_code(code, std::system_category());
    return failed;
}

/// Bytes that one direction of a stream may move in one turn of the loop. Without the bound, a
/// fast peer could hold the loop.
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

/// A write that makes no progress for this long has failed.
class WriteStall {
public:
    WriteStall(TimerWheel& wheel, Timer::Fire fire, void* context) : timer_(wheel, fire, context) {}

    void limit(Duration longest) { longest_ = longest; }  // zero: none
    /// The write has to wait. `progress`: it has written some since the last time.
    void wait(bool progress) {
        if (longest_ > Duration::zero() && (progress || !timer_.armed())) {
            timer_.set_after(longest_);
        }
    }
    void end() { timer_.clear(); }

private:
    Timer timer_;
    Duration longest_{0};
};

/// A coroutine that reads and one that writes; the poller's events resume them (readiness.h).
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
    WriteStall stall;
    std::unique_ptr<TlsState> tls;
    Watch gone;
    bool bytes_end_watch = true;  // else bytes count as an end
    unsigned refs = 1;
    std::uint32_t watched = 0;  // events that the poller reports
    TurnShare reads;
    TurnShare writes;
    Stop stop = Stop::room;
    Readiness readiness;
    bool look_posted = false;
    bool woken = false;
    std::optional<NetError> failed;  // sticky, until rearm()

    void release() {
        if (--refs == 0) {
            delete this;
        }
    }

    /// The loop's reference to us. It is released once, when its handler is called or dropped at
    /// shutdown.
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
        if (readiness.read_needs_room()) {
            watch_for(EPOLLOUT);
        } else if ((!told_from_now && !readiness.dry()) || reads.left(loop) == 0) {
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
        readiness.await_room();
        watch_for(EPOLLIN | EPOLLRDHUP | EPOLLOUT);
    }

    void await_bytes_to_write() {
        readiness.await_bytes();
        watch_for(EPOLLIN | EPOLLRDHUP);
    }

    void ready(std::uint32_t events) override {
        const Ref kept = keep();
        const Readiness::Resume resume = readiness.report(events);
        if (resume.writer) {
            writer.resume_now();
        }
        if (resume.reader) {
            readable();
        }
    }

    void readable() {
        if (reader.waiting()) {
            reader.resume_now();
        } else if (gone.is_set()) {
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
        if (tells) {
            gone.tell();
        } else {
            gone.clear();
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

    /// Records the result of a step that reads. True: it has to wait.
    bool blocked(const IoStep& step) {
        if (tls != nullptr && tls->took() && readiness.resumes_writer()) {
            writer.resume();
        }
        const bool needs_room = step.kind == IoStep::Kind::want_write;
        readiness.read_needs_room(needs_room);
        if (step.kind == IoStep::Kind::want_read) {
            readiness.found_nothing(tls == nullptr || tls->drained());
        }
        return needs_room || step.kind == IoStep::Kind::want_read;
    }

    void fail(NetError why) {
        if (!failed) {
            failed = why;
        }
        reader.resume();
        writer.resume();
    }

    NetFailure why() const {
        NetFailure reason;
        reason.error = failed.value_or(NetError::closed);
        return reason;
    }

    /// Before and after a wait that should end only when bytes can be read. TLS may hold a whole
    /// record, which the poller does not report, or a part of one, which cannot be read yet.
    bool has_some() {
        if (reads.left(loop) == 0) {
            return false;
        }
        if (tls == nullptr && readiness.news()) {
            return true;
        }
        if ((tls != nullptr && tls->pending()) || (watched != 0 && !readiness.dry())) {
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
