#include "net/upstream.h"

#include "net/failed.h"
#include "net/upstream_impl.h"

#include <utility>

namespace weir::net {

namespace {

constexpr int kMostInterim = 16;  // 1xx answers before the final one

}  // namespace

void UpstreamConnection::Impl::begin_exchange() {
    buffer.drop();
    reader = codec::HeadReader(codec::HeadReader::Side::response, max_head);
    head.clear();
    body = codec::BodyReader();
    head_read = false;
    any_bytes = false;
}

UpstreamConnection::UpstreamConnection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

UpstreamConnection::~UpstreamConnection() {
    if (impl_->counts != nullptr) {
        (impl_->idle ? impl_->counts->idle : impl_->counts->active)
            .fetch_sub(1, std::memory_order_relaxed);
    }
}

Task<NetResult<void>> UpstreamConnection::write(std::string_view head, std::string_view body) {
    const auto written = co_await impl_->stream->write_first(head, body);
    impl_->broken = !written;
    co_return written;
}

Task<NetResult<const codec::Head*>> UpstreamConnection::read_head() {
    Impl& c = *impl_;
    int interim = 0;
    for (;;) {
        if (!c.buffer.empty()) {
            const auto taken = c.reader.read(c.buffer.view(), c.head);
            if (!taken) {
                c.broken = true;
                co_return std::unexpected(failed(taken.error() == codec::Http1Error::head_too_large
                                                     ? NetError::too_large
                                                     : NetError::protocol));
            }
            if (*taken) {
                c.buffer.consume(**taken);
                if (c.head.status >= 200) {
                    c.head_read = true;
                    c.body = codec::BodyReader(c.head.framing, c.head.content_length);
                    co_return &c.head;
                }
                if (c.head.status == 101 || ++interim > kMostInterim) {
                    c.broken = true;
                    co_return std::unexpected(failed(NetError::protocol));
                }
                c.reader.reset();
                c.head.clear();
                continue;
            }
        } else if (!c.any_bytes) {
            // The answer takes its time: no buffer meanwhile, and no read that must fail.
            c.buffer.drop();
            const auto ready = co_await c.stream->wait_readable();
            if (!ready) {
                c.broken = true;
                co_return std::unexpected(ready.error());
            }
        }
        if (!c.buffer.held() || c.buffer.room().empty()) {
            c.buffer.make_room();
        }
        const auto got = c.stream->try_read(c.buffer.room());
        if (!got) {
            c.broken = true;
            co_return std::unexpected(got.error());
        }
        if (!*got) {
            const auto ready = co_await c.stream->wait_readable();
            if (!ready) {
                c.broken = true;
                co_return std::unexpected(ready.error());
            }
            continue;
        }
        c.any_bytes = true;
        c.buffer.filled(**got);
    }
}

Task<NetResult<std::string_view>> UpstreamConnection::read_body() {
    Impl& c = *impl_;
    for (;;) {
        if (!c.buffer.empty() || c.body.done()) {
            const auto step = c.body.next(c.body.done() ? std::string_view() : c.buffer.view());
            if (!step) {
                c.broken = true;
                co_return std::unexpected(failed(NetError::protocol));
            }
            c.buffer.consume(step->consumed);
            if (!step->content.empty()) {
                co_return step->content;
            }
            if (step->done) {
                if (c.buffer.empty()) {
                    c.buffer.drop();
                }
                co_return std::string_view();
            }
            if (step->consumed != 0) {
                continue;
            }
        }
        if (c.buffer.empty()) {
            c.buffer.drop();  // a stream that pauses holds none
        }
        std::optional<std::size_t> now;
        for (;;) {
            if (!c.buffer.held() || c.buffer.room().empty()) {
                c.buffer.make_room();
            }
            const auto got = c.stream->try_read(c.buffer.room());
            if (!got) {
                c.broken = got.error().error != NetError::timeout;
                if (got.error().error == NetError::closed && c.body.finish()) {
                    c.buffer.drop();
                    co_return std::string_view();
                }
                co_return std::unexpected(got.error());
            }
            if (*got) {
                now = *got;
                break;
            }
            if (c.buffer.empty()) {
                c.buffer.drop();
            }
            const auto ready = co_await c.stream->wait_readable();
            if (!ready) {
                // After a deadline alone it can be gone on with, once the stream is rearmed.
                c.broken = ready.error().error != NetError::timeout;
                co_return std::unexpected(ready.error());
            }
        }
        c.buffer.filled(*now);
    }
}

bool UpstreamConnection::body_ended() const {
    return impl_->body.done();
}

bool UpstreamConnection::reused() const {
    return impl_->reused;
}

bool UpstreamConnection::any_bytes_received() const {
    return impl_->any_bytes;
}

Stream& UpstreamConnection::stream() {
    return *impl_->stream;
}

void UpstreamConnection::set_deadline(Duration from_now) {
    impl_->stream->set_deadline(from_now);
}

void UpstreamConnection::clear_deadline() {
    impl_->stream->clear_deadline();
}

void UpstreamConnection::rearm() {
    impl_->stream->rearm();
}

void UpstreamConnection::interrupt() {
    impl_->stream->interrupt();
}

}  // namespace weir::net
