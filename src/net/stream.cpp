#include "net/stream.h"

#include "net/tls.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

namespace weir::net {

namespace {

constexpr std::size_t kTlsRecord = 16UL << 10;

NetFailure from_errno(int code) {
    NetFailure failed;
    failed.error = NetError::reset;
    failed.code = std::error_code(code, std::system_category());
    return failed;
}

}  // namespace

/// Reads and writes are system calls tried at once; the poller says when to try again. It tells of
/// a change once, so `read_dry` keeps what is known: nothing to read until it tells again. With the
/// peer's end behind the bytes a short read leaves something, which is told of no second time:
/// nothing is dry once `ended`.
struct Stream::Impl final : Watched {
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
    bool look_posted = false;
    bool write_awaited = false;
    bool read_dry = false;  // the last read took all there was
    bool ended = false;     // no more will come, or the connection is broken
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
        if (watched == 0) {
            watch_for(EPOLLIN | EPOLLRDHUP);
        } else if (!read_dry) {
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

    void ready(std::uint32_t events) override {
        const Ref kept = keep();
        if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
            ended = true;
        }
        if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0 && write_awaited) {
            write_awaited = false;
            writer.resume_now();
        }
        if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
            read_dry = false;
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
        bool left = !socket.is_open();
        if (!left) {
            const IoStep step = peek();
            if (step.kind == IoStep::Kind::want_read || step.kind == IoStep::Kind::want_write) {
                read_dry = true;
                return;
            }
            left = step.kind == IoStep::Kind::failed;
        }
        const Gone tell = std::exchange(gone, nullptr);
        if (left) {
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

    /// Before a wait that is to end only when there is something. OpenSSL may hold a whole record
    /// that the poller will not tell of, or a part of one, which is nothing yet.
    bool has_some() {
        if ((tls != nullptr && tls->pending()) || (watched != 0 && !read_dry)) {
            const IoStep::Kind kind = peek().kind;
            read_dry = kind == IoStep::Kind::want_read || kind == IoStep::Kind::want_write;
            return !read_dry;
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

Stream::Stream(Loop& loop, Socket socket) : impl_(new Impl(loop, std::move(socket))) {
    if (impl_->socket.is_open()) {
        const int on = 1;
        ::setsockopt(impl_->socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

Stream::~Stream() {
    impl_->gone = nullptr;
    impl_->deadline.clear();
    impl_->stall.clear();
    impl_->let_go();
    impl_->release();
}

NetResult<std::optional<std::size_t>> Stream::try_read(std::span<char> into) {
    Impl& s = *impl_;
    if (s.failed) {
        return std::unexpected(s.why());
    }
    if (s.tls != nullptr) {
        const IoStep step = s.tls->read(into);
        switch (step.kind) {
            case IoStep::Kind::done:
                s.read_dry = !s.ended && s.tls->drained();
                return std::optional(step.bytes);
            case IoStep::Kind::failed:
                return std::unexpected(step.failure);
            default:
                s.read_dry = true;
                return std::optional<std::size_t>();
        }
    }
    if (s.read_dry) {
        return std::optional<std::size_t>();
    }
    for (;;) {
        const auto n = receive(s.socket.descriptor(), into);
        if (n > 0) {
            // A short read has emptied the socket, so asking again would be a call in vain.
            s.read_dry = !s.ended && static_cast<std::size_t>(n) < into.size();
            return std::optional(static_cast<std::size_t>(n));
        }
        if (n == 0) {
            return std::unexpected(NetFailure());
        }
        if (errno == EAGAIN) {
            s.read_dry = true;
            return std::optional<std::size_t>();
        }
        if (errno != EINTR) {
            return std::unexpected(from_errno(errno));
        }
    }
}

Task<NetResult<std::size_t>> Stream::read_some(std::span<char> into) {
    for (;;) {
        auto got = try_read(into);
        if (!got) {
            co_return std::unexpected(got.error());
        }
        if (*got) {
            co_return **got;
        }
        impl_->await_read();
        co_await impl_->reader.wait();
    }
}

NetResult<bool> Stream::try_write(std::string_view& head, std::string_view& body,
                                  std::string_view& tail) {
    Impl& s = *impl_;
    if (s.failed) {
        return std::unexpected(s.why());
    }
    const std::array<std::string_view*, 3> parts{&head, &body, &tail};
    const auto advance = [&parts](std::size_t n) {
        for (std::string_view* part : parts) {
            const std::size_t taken = std::min(n, part->size());
            part->remove_prefix(taken);
            n -= taken;
        }
    };
    while (!head.empty() || !body.empty() || !tail.empty()) {
        if (s.tls != nullptr) {
            // Small parts go into one record together; a large one is not copied.
            thread_local std::string joined;
            joined.clear();
            std::string_view next;
            for (const std::string_view* part : parts) {
                if (part->empty()) {
                    continue;
                }
                if (next.empty() && joined.empty()) {
                    next = *part;
                } else if (next.size() < kTlsRecord) {
                    if (joined.empty()) {
                        joined = next;
                    }
                    joined += part->substr(0, kTlsRecord - joined.size());
                    next = joined;
                }
            }
            const IoStep step = s.tls->write(next);
            if (step.kind == IoStep::Kind::failed) {
                return std::unexpected(step.failure);
            }
            if (step.kind != IoStep::Kind::done) {
                return false;
            }
            advance(step.bytes);
            continue;
        }
        std::array<iovec, 3> blocks{};
        std::size_t count = 0;
        for (const std::string_view* part : parts) {
            if (!part->empty()) {
                blocks[count++] = {.iov_base = const_cast<char*>(part->data()),
                                   .iov_len = part->size()};
            }
        }
        msghdr message{};
        message.msg_iov = blocks.data();
        message.msg_iovlen = count;
        const auto n = transmit(s.socket.descriptor(), message);
        if (n >= 0) {
            advance(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR) {
            return std::unexpected(from_errno(errno));
        }
    }
    return true;
}

Task<NetResult<void>> Stream::write(std::string_view head, std::string_view body,
                                    std::string_view tail) {
    // Under load many write in a row then, and a peer that the first wakes is still awake for the
    // rest: waking it costs more than writing does.
    co_await impl_->loop.soon();
    for (;;) {
        const std::size_t before = head.size() + body.size() + tail.size();
        const auto all = try_write(head, body, tail);
        if (!all) {
            impl_->stall.clear();
            co_return std::unexpected(all.error());
        }
        if (*all) {
            impl_->stall.clear();
            co_return NetResult<void>();
        }
        const bool progress = head.size() + body.size() + tail.size() < before;
        if (impl_->stall_after > Duration::zero() && (progress || !impl_->stall.armed())) {
            impl_->stall.set_after(impl_->stall_after);
        }
        impl_->await_write();
        co_await impl_->writer.wait();
    }
}

Task<NetResult<void>> Stream::wait_readable() {
    Impl& s = *impl_;
    if (!s.failed && !s.has_some()) {
        s.await_read();
        co_await s.reader.wait();
    }
    if (s.failed) {
        co_return std::unexpected(s.why());
    }
    co_return NetResult<void>();
}

Task<NetResult<void>> Stream::wait_writable() {
    Impl& s = *impl_;
    if (!s.failed) {
        s.await_write();
        co_await s.writer.wait();
    }
    if (s.failed) {
        co_return std::unexpected(s.why());
    }
    co_return NetResult<void>();
}

Task<NetResult<void>> Stream::wait_woken() {
    Impl& s = *impl_;
    if (!s.failed && !s.woken) {
        co_await s.reader.wait();
    }
    s.woken = false;
    if (s.failed) {
        co_return std::unexpected(s.why());
    }
    co_return NetResult<void>();
}

void Stream::wake() {
    impl_->woken = true;
    impl_->reader.resume();
}

Task<NetResult<void>> Stream::start_tls(std::unique_ptr<TlsState> tls) {
    Impl& s = *impl_;
    s.tls = std::move(tls);
    s.tls->attach(s.socket.descriptor());
    for (;;) {
        if (s.failed) {
            co_return std::unexpected(s.why());
        }
        const IoStep step = s.tls->handshake();
        if (step.kind == IoStep::Kind::done) {
            co_return NetResult<void>();
        }
        if (step.kind == IoStep::Kind::failed) {
            co_return std::unexpected(step.failure);
        }
        if (step.kind == IoStep::Kind::want_read) {
            s.await_read();
            co_await s.reader.wait();
        } else {
            s.await_write();
            co_await s.writer.wait();
        }
    }
}

void Stream::watch(Gone gone, void* context) {
    Impl& s = *impl_;
    s.gone = gone;
    s.gone_context = context;
    s.await_read();
    if (s.tls != nullptr && s.tls->pending()) {
        s.look_soon();  // the poller need not tell of it
    }
}

void Stream::unwatch() {
    impl_->gone = nullptr;
}

void Stream::set_deadline(Duration from_now) {
    impl_->deadline.set_after(from_now);
}

void Stream::clear_deadline() {
    impl_->deadline.clear();
}

void Stream::set_write_stall(Duration longest) {
    impl_->stall_after = longest;
}

void Stream::interrupt() {
    impl_->failed = true;
    impl_->sticky = NetError::interrupted;
    impl_->fail(NetError::interrupted);
}

bool Stream::interrupted() const {
    return impl_->failed && impl_->sticky == NetError::interrupted;
}

void Stream::rearm() {
    if (impl_->socket.is_open()) {
        impl_->failed = false;
    }
}

bool Stream::idle_and_healthy() {
    Impl& s = *impl_;
    if (s.failed || !s.socket.is_open()) {
        return false;
    }
    const IoStep step = s.peek();
    return step.kind == IoStep::Kind::want_read;
}

void Stream::shutdown_write() {
    if (impl_->tls != nullptr) {
        impl_->tls->close_notify();
    }
    ::shutdown(impl_->socket.descriptor(), SHUT_WR);
}

void Stream::close() {
    if (impl_->socket.is_open()) {
        if (impl_->tls != nullptr) {
            impl_->tls->close_notify();
        }
        impl_->shut();
    }
}

void Stream::abort() {
    if (impl_->socket.is_open()) {
        const linger reset{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(impl_->socket.descriptor(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        impl_->shut();
    }
}

Socket& Stream::socket() {
    return impl_->socket;
}

Loop& Stream::loop() {
    return impl_->loop;
}

bool Stream::secure() const {
    return impl_->tls != nullptr;
}

}  // namespace weir::net
