// The writing half of a connection.
#include "net/date.h"
#include "net/failed.h"
#include "net/http1_connection.h"

#include <array>
#include <charconv>

namespace weir::net {

namespace {

void append_number(std::string& out, std::uint64_t number, int base = 10) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
    out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

}  // namespace

void Http1Connection::append_head(int status, std::string_view fields,
                                  std::optional<std::uint64_t> length) {
    // An answer that comes before the body was asked for leaves the client to send it or not.
    const bool unasked = !upload_.asked_for() && !body_.done();
    close_ = close_ || !head_.keep_alive || unasked || upload_.failed() ||
             state_->draining.load(std::memory_order_relaxed) || framing_ == Framing::until_close;
    out_.reserve(192 + fields.size());
    codec::append_status_line(out_, status);
    out_ += date_line();
    out_ += fields;
    if (length && !bodiless(status)) {
        out_ += "Content-Length: ";
        append_number(out_, *length);
        out_ += "\r\n";
    } else if (framing_ == Framing::chunked) {
        out_ += "Transfer-Encoding: chunked\r\n";
    }
    if (close_) {
        out_ += "Connection: close\r\n";
    } else if (head_.minor_version == 0) {
        out_ += "Connection: keep-alive\r\n";
    }
    out_ += "\r\n";
}

/// Writes what is held in out_, then these. Mostly done without suspending.
Task<NetResult<void>> Http1Connection::put(std::string_view content, std::string_view tail) {
    std::string_view held = out_;
    const auto all = stream_.try_write(held, content, tail);
    if (!all) {
        broken_ = true;
        co_return std::unexpected(all.error());
    }
    if (!*all) {
        const auto written = co_await stream_.write(held, content, tail);
        if (!written) {
            broken_ = true;
            co_return std::unexpected(written.error());
        }
    }
    out_.clear();
    co_return NetResult<void>();
}

void Http1Connection::reassure(Duration every) {
    if (head_.minor_version == 0 || answer_.begun()) {
        return;  // RFC 9110 15.2: HTTP/1.0 has no interim answers
    }
    const auto fire = [](void* self) { static_cast<Http1Connection*>(self)->send_interim(); };
    interim_.reset(new Interim{{loop().wheel(), fire, this}, every});
    interim_->timer.set_after(every);
}

/// What a client that does not read leaves of it stays in out_, before whatever comes next; it
/// gets no other until it has taken this one.
void Http1Connection::send_interim() {
    if (out_.empty()) {
        out_ = kContinue;
    }
    std::string_view held = out_;
    std::string_view none;
    if (!stream_.try_write(held, none, none)) {
        return;  // whoever writes next is told
    }
    out_.erase(0, out_.size() - held.size());
    interim_->timer.set_after(interim_->every);
}

Task<NetResult<void>> Http1Connection::send(int status, std::string_view fields,
                                            std::string_view body) {
    if (answer_.begun()) {
        co_return std::unexpected(failed(NetError::protocol));
    }
    answer_.begin(status, body.size());
    interim_.reset();
    append_head(status, fields, body.size());
    const auto done = co_await stream_.write(out_, answer_.silent() ? std::string_view() : body);
    out_.clear();
    if (done) {
        answer_.end();
    } else {
        broken_ = true;
    }
    co_return done;
}

Task<NetResult<void>> Http1Connection::begin(int status, std::string_view fields,
                                             std::optional<std::uint64_t> length) {
    if (answer_.begun()) {
        co_return std::unexpected(failed(NetError::protocol));
    }
    answer_.begin(status, length);
    interim_.reset();
    if (!bodiless(status) && !length) {
        framing_ = head_.minor_version == 0 ? Framing::until_close : Framing::chunked;
    }
    append_head(status, fields, length);
    co_return NetResult<void>();
}

Task<NetResult<void>> Http1Connection::write(std::string_view content) {
    if (!answer_.begun() || answer_.ended() || broken_) {
        co_return std::unexpected(failed(broken_ ? NetError::closed : NetError::protocol));
    }
    if (answer_.silent()) {
        co_return NetResult<void>();
    }
    if (content.empty()) {
        co_return NetResult<void>();  // an empty chunk would be the last
    }
    if (!answer_.take(content.size())) {
        co_return std::unexpected(failed(NetError::protocol));
    }
    if (framing_ == Framing::chunked) {
        append_number(out_, content.size(), 16);
        out_ += "\r\n";
        co_return co_await put(content, "\r\n");
    }
    co_return co_await put(content, std::string_view());
}

Task<NetResult<void>> Http1Connection::flush() {
    if (!answer_.begun() || answer_.ended() || broken_) {
        co_return std::unexpected(failed(broken_ ? NetError::closed : NetError::protocol));
    }
    if (!out_.empty()) {
        co_return co_await put(std::string_view(), std::string_view());
    }
    co_return NetResult<void>();
}

Task<NetResult<void>> Http1Connection::end() {
    if (!answer_.begun() || answer_.ended() || broken_) {
        co_return std::unexpected(failed(broken_ ? NetError::closed : NetError::protocol));
    }
    if (!answer_.complete()) {
        abort();
        co_return std::unexpected(failed(NetError::protocol));
    }
    if (!answer_.to_head() && framing_ == Framing::chunked) {
        out_ += codec::kLastChunk;
    }
    if (!out_.empty()) {
        const auto done = co_await put(std::string_view(), std::string_view());
        if (!done) {
            co_return std::unexpected(done.error());
        }
    }
    answer_.end();
    co_return NetResult<void>();
}

}  // namespace weir::net
