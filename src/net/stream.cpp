#include "net/stream_impl.h"

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

}  // namespace

Stream::Stream(Loop& loop, Socket socket) : impl_(new Impl(loop, std::move(socket))) {
    if (impl_->socket.is_open()) {
        const int on = 1;
        ::setsockopt(impl_->socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

Stream::~Stream() {
    impl_->gone.clear();
    impl_->deadline.clear();
    impl_->stall.end();
    impl_->let_go();
    impl_->release();
}

NetResult<std::optional<std::size_t>> Stream::try_read(std::span<char> into) {
    Impl& s = *impl_;
    if (s.failed) {
        return std::unexpected(s.why());
    }
    if (s.reads.left(s.loop) == 0) {
        return std::optional<std::size_t>();
    }
    if (s.tls != nullptr) {
        const IoStep step = s.tls->read(into);
        if (s.blocked(step)) {
            return std::optional<std::size_t>();
        }
        if (step.kind == IoStep::Kind::failed) {
            return std::unexpected(step.failure);
        }
        s.reads.took(step.bytes);
        s.readiness.received(s.tls->drained());
        return std::optional(step.bytes);
    }
    if (s.readiness.dry()) {
        return std::optional<std::size_t>();
    }
    for (;;) {
        const auto n = receive(s.socket.descriptor(), into);
        s.readiness.looked();
        if (n > 0) {
            // A short read has emptied the socket, so asking again would be a call in vain.
            s.readiness.received(static_cast<std::size_t>(n) < into.size());
            s.reads.took(static_cast<std::size_t>(n));
            return std::optional(static_cast<std::size_t>(n));
        }
        if (n == 0) {
            return std::unexpected(NetFailure());
        }
        if (errno == EAGAIN) {
            s.readiness.found_nothing(true);
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
        std::size_t share = s.writes.left(s.loop);
        if (share == 0) {
            s.stop = Impl::Stop::turn;
            return false;
        }
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
            if (s.tls->took()) {  // bytes that the poller will not tell of again
                s.readiness.not_dry();
                s.look_soon();
            }
            if (step.kind != IoStep::Kind::done) {
                s.stop = step.kind == IoStep::Kind::want_write ? Impl::Stop::room
                         : s.tls->drained()                    ? Impl::Stop::bytes
                                                               : Impl::Stop::turn;
                return false;
            }
            advance(step.bytes);
            s.writes.took(step.bytes);
            continue;
        }
        std::array<iovec, 3> blocks{};
        std::size_t count = 0;
        for (const std::string_view* part : parts) {
            if (const std::size_t size = std::min(part->size(), share); size > 0) {
                blocks[count++] = {.iov_base = const_cast<char*>(part->data()), .iov_len = size};
                share -= size;
            }
        }
        msghdr message{};
        message.msg_iov = blocks.data();
        message.msg_iovlen = count;
        const auto n = transmit(s.socket.descriptor(), message);
        if (n >= 0) {
            advance(static_cast<std::size_t>(n));
            s.writes.took(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {
            s.stop = Impl::Stop::room;
            return false;
        } else if (errno != EINTR) {
            return std::unexpected(from_errno(errno));
        }
    }
    return true;
}

Task<NetResult<void>> Stream::write(std::string_view head, std::string_view body,
                                    std::string_view tail) {
    return write_all(head, body, tail, false);
}

Task<NetResult<void>> Stream::write_first(std::string_view head, std::string_view body) {
    return write_all(head, body, std::string_view(), true);
}

Task<NetResult<void>> Stream::write_all(std::string_view head, std::string_view body,
                                        std::string_view tail, bool first) {
    Impl& s = *impl_;
    // Under load many write in a row then, and a peer that the first wakes is still awake for the
    // rest: waking it costs more than writing does.
    co_await s.loop.soon();
    if (first && !s.failed && !idle_and_healthy()) {
        close();  // what was said is not read either
        co_return std::unexpected(NetFailure());
    }
    for (;;) {
        const std::size_t before = head.size() + body.size() + tail.size();
        const auto all = try_write(head, body, tail);
        if (!all) {
            s.stall.end();
            co_return std::unexpected(all.error());
        }
        if (*all) {
            s.stall.end();
            co_return NetResult<void>();
        }
        const bool progress = head.size() + body.size() + tail.size() < before;
        s.stall.wait(progress);
        switch (s.stop) {
            case Impl::Stop::turn:
                co_await s.loop.soon();
                break;
            case Impl::Stop::room:
                s.await_write();
                co_await s.writer.wait();
                break;
            case Impl::Stop::bytes:
                s.await_bytes_to_write();
                co_await s.writer.wait();
                break;
        }
    }
}

Task<NetResult<void>> Stream::wait_readable() {
    Impl& s = *impl_;
    while (!s.failed && !s.has_some()) {
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
        s.blocked(step);
        s.await_read();
        co_await s.reader.wait();
    }
}

void Stream::watch(Gone gone, void* context, bool bytes_too) {
    Impl& s = *impl_;
    s.gone.set(gone, context);
    s.bytes_end_watch = !bytes_too;
    s.await_read();
    if (s.tls != nullptr && s.tls->pending()) {
        s.look_soon();  // the poller need not tell of it
    }
}

void Stream::unwatch() {
    impl_->gone.clear();
}

void Stream::set_deadline(Duration from_now) {
    impl_->deadline.set_after(from_now);
}

void Stream::clear_deadline() {
    impl_->deadline.clear();
}

void Stream::set_write_stall(Duration longest) {
    impl_->stall.limit(longest);
}

void Stream::interrupt() {
    impl_->failed = NetError::interrupted;
    impl_->fail(NetError::interrupted);
}

bool Stream::interrupted() const {
    return impl_->failed == NetError::interrupted;
}

void Stream::rearm() {
    if (impl_->socket.is_open()) {
        impl_->failed.reset();
    }
}

bool Stream::idle_and_healthy() {
    Impl& s = *impl_;
    if (s.failed || !s.socket.is_open()) {
        return false;
    }
    const IoStep step = s.peek();
    return s.blocked(step) && step.kind == IoStep::Kind::want_read;
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
