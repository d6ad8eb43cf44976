#include "net/http1_connection.h"

#include "net/failed.h"

#include <chrono>
#include <exception>
#include <utility>

namespace weir::net {

namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n";
constexpr std::size_t kDrainBytes = 64UL << 10;
constexpr std::size_t kKeptCapacity = 1024;
/// After an answer that ends the connection the client may hear it while it still sends; what it
/// sends meanwhile is read, up to so many bytes: more where a body is under way.
constexpr Duration kLinger = std::chrono::seconds(5);
constexpr std::size_t kLingerBytes = 1UL << 20;
constexpr std::size_t kLingerBodyBytes = 32UL << 20;

/// Three words of which neither the second is a target nor the third a version: whatever that is,
/// an answer in HTTP/1.1 would not be understood.
bool is_foreign(std::string_view bytes) {
    const auto line = bytes.substr(0, bytes.find_first_of("\r\n"));
    const auto first = line.find(' ');
    const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) {
        return false;
    }
    const auto target = line.substr(first + 1, second - first - 1);
    return target.find_first_of("/:*") == std::string_view::npos &&
           line.find("HTTP/", second) == std::string_view::npos;
}

int status_of(codec::Http1Error error, std::string_view bytes, std::size_t max_head) {
    switch (error) {
        case codec::Http1Error::head_too_large:
            return bytes.substr(0, max_head).find("\r\n") == std::string_view::npos ? 414 : 431;
        case codec::Http1Error::too_many_fields:
            return 431;
        case codec::Http1Error::bad_version:
            return 505;
        case codec::Http1Error::bad_transfer_encoding:
            return 501;
        default:
            return 400;
    }
}

/// RFC 9112 3.2.2: a server takes a target in absolute form as well. Here its authority has to be
/// the Host's, as every client writes it; false: it is not.
bool take_origin_form(codec::Head& head) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!codec::equals_ignore_case(head.target.substr(0, scheme.size()), scheme)) {
            continue;
        }
        const std::string_view rest = head.target.substr(scheme.size());
        const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
        const auto* host = head.find("host");
        if (host == nullptr || !codec::equals_ignore_case(authority, *host)) {
            return false;
        }
        head.target = rest.size() == authority.size() ? "/" : rest.substr(authority.size());
    }
    return true;
}

}  // namespace

Http1Connection::Http1Connection(Connection& connection)
    : connection_(connection),
      state_(connection.state()),
      stream_(connection.stream()),
      reader_(codec::HeadReader::Side::request, state_->max_head.load()) {
    connection_.speak(this);
}

Http1Connection::~Http1Connection() {
    connection_.speak(nullptr);
}

void Http1Connection::drain() {
    if (idle_) {
        drain_woke_ = true;
        stream_.interrupt();
    }
}

Task<bool> Http1Connection::run() {
    while (co_await next_request()) {
        connection_.home().active.fetch_add(1, std::memory_order_relaxed);
        bool threw = false;
        std::string what;
        try {
            co_await state_->handler(*this);
        } catch (const std::exception& error) {
            threw = true;
            what = error.what();
        } catch (...) {
            threw = true;
            what = "unknown";
        }
        stream_.unwatch();
        interim_.reset();
        bool again = false;
        if (threw) {
            state_->log("a request from " + std::string(peer()) +
                        " ended with an exception: " + what);
            abort();
        } else if (answer_.ended() && !close_ && !broken_ && !upload_.failed() && body_.done()) {
            again = stream_.socket().is_open();
        } else {
            again = co_await finish_request();
        }
        connection_.home().active.fetch_sub(1, std::memory_order_relaxed);
        if (!again) {
            break;
        }
        recycle();
    }
    co_return http2_;
}

void Http1Connection::recycle() {
    if (!body_buffer_.empty()) {
        buffer_ = std::move(body_buffer_);  // the start of the next request
    }
    body_buffer_.drop();
    reader_.reset();
    head_.clear();
    upload_ = Upload();
    answer_ = AnswerProgress();
    framing_ = Framing::length;
    close_ = false;
    out_.clear();
    served_any_ = true;
}

Task<bool> Http1Connection::wait_for_bytes() {
    buffer_.drop();
    if (out_.capacity() > kKeptCapacity) {
        out_ = std::string();
    }
    if (head_.fields.capacity() > kKeptCapacity / sizeof(codec::Field)) {
        head_.fields = std::vector<codec::Field>();
    }
    if (state_->draining.load(std::memory_order_relaxed) && stream_.idle_and_healthy()) {
        co_return false;
    }
    stream_.set_deadline(state_->idle_timeout.load());
    idle_ = true;
    const auto ready = co_await stream_.wait_readable();
    idle_ = false;
    stream_.clear_deadline();
    if (!ready && drain_woke_) {
        // A request that has arrived already is still served.
        stream_.rearm();
        co_return !stream_.idle_and_healthy();
    }
    co_return ready.has_value();
}

Task<int> Http1Connection::read_head(std::string& message) {
    for (;;) {
        const std::string_view bytes = buffer_.view();
        if (!served_any_ && !bytes.empty() &&
            kPreface.starts_with(bytes.substr(0, kPreface.size()))) {
            if (bytes.size() >= kPreface.size()) {
                http2_ = true;
                co_return -1;
            }
        } else if (!bytes.empty()) {
            const auto taken = reader_.read(bytes, head_);
            if (!taken && !served_any_ && is_foreign(bytes)) {
                state_->complain("closed the connection of " + std::string(peer()) +
                                 ": it speaks neither HTTP/1.1 nor HTTP/2");
                co_return -1;
            }
            if (!taken) {
                message = codec::to_string(taken.error());
                co_return status_of(taken.error(), bytes, state_->max_head.load());
            }
            if (*taken) {
                buffer_.consume(**taken);
                co_return 0;
            }
        }
        if (!buffer_.held() || buffer_.room().empty()) {
            buffer_.make_room();
        }
        auto got = stream_.try_read(buffer_.room());
        if (got && !*got) {
            got = co_await stream_.read_some(buffer_.room());
        }
        if (!got) {
            if (got.error().error == NetError::timeout && !buffer_.empty()) {
                stream_.rearm();
                message = "the request's head did not arrive in time";
                co_return 408;
            }
            co_return -1;
        }
        buffer_.filled(**got);
    }
}

Task<bool> Http1Connection::next_request() {
    if (buffer_.empty()) {
        const bool some = co_await wait_for_bytes();
        if (!some) {
            co_return false;
        }
    }
    stream_.set_deadline(state_->head_timeout.load());
    std::string message;
    int status = co_await read_head(message);
    stream_.clear_deadline();
    if (status == 0 && !take_origin_form(head_)) {
        message = "the target's authority is not the Host";
        status = 400;
    }
    if (status > 0) {
        head_.clear();  // its views may be half made
        co_await refuse(status, std::move(message));
    }
    if (status != 0) {
        co_return false;
    }
    body_ = codec::BodyReader(head_.framing, head_.content_length);
    upload_.begin(head_.expect_continue);
    answer_ = AnswerProgress(head_.method == "HEAD");
    co_return true;
}

Task<NetResult<std::string_view>> Http1Connection::read_body() {
    if (upload_.failed()) {
        co_return std::unexpected(failed(upload_.why()));
    }
    for (;;) {
        ReadBuffer& source = buffer_.empty() ? body_buffer_ : buffer_;
        if (!source.empty() || body_.done()) {
            const auto step = body_.next(body_.done() ? std::string_view() : source.view());
            if (!step) {
                upload_.fail(NetError::protocol);
                co_return std::unexpected(failed(NetError::protocol));
            }
            source.consume(step->consumed);
            if (!step->content.empty()) {
                co_return step->content;
            }
            if (step->done) {
                if (body_buffer_.empty()) {
                    body_buffer_.drop();
                }
                co_return std::string_view();
            }
            if (step->consumed != 0) {
                continue;
            }
            if (&source == &buffer_) {
                // What is left of a line moves over, so that more can be put behind it.
                body_buffer_.make_room();
                const std::string_view rest = buffer_.view();
                std::memcpy(body_buffer_.room().data(), rest.data(), rest.size());
                body_buffer_.filled(rest.size());
                buffer_.consume(rest.size());
            }
        }
        if (upload_.ask()) {
            const auto told = co_await stream_.write(kContinue);
            if (!told) {
                broken_ = true;
                upload_.fail(told.error().error);
                co_return std::unexpected(told.error());
            }
        }
        if (!body_buffer_.held() || body_buffer_.room().empty()) {
            body_buffer_.make_room();
        }
        stream_.set_deadline(
            upload_.pace().left(state_->head_timeout.load(), std::chrono::steady_clock::now()));
        const auto got = co_await stream_.read_some(body_buffer_.room());
        stream_.clear_deadline();
        if (!got) {
            upload_.fail(got.error().error);
            if (upload_.why() == NetError::timeout) {
                stream_.rearm();  // there is still an answer to give
            }
            co_return std::unexpected(got.error());
        }
        body_buffer_.filled(*got);
        upload_.pace().received(*got);
    }
}

Task<bool> Http1Connection::finish_request() {
    if (broken_ || !stream_.socket().is_open()) {
        co_return false;
    }
    if (!answer_.begun()) {
        if (!upload_.failed()) {
            co_await refuse(500, "no answer was made");
        } else if (upload_.why() == NetError::protocol) {
            co_await refuse(400, "the request's body is malformed");
        } else if (upload_.why() == NetError::timeout) {
            co_await refuse(408, "the request's body did not arrive in time");
        }
        co_return false;
    }
    if (!answer_.ended()) {
        abort();
        co_return false;
    }
    if (upload_.failed()) {
        co_await linger();
        co_return false;
    }
    if (!close_ && !body_.done()) {
        std::size_t drained = 0;
        while (!body_.done() && drained <= kDrainBytes) {
            const auto piece = co_await read_body();
            if (!piece) {
                break;
            }
            drained += piece->size();
        }
    }
    if (!body_.done() || (close_ && (!buffer_.empty() || !body_buffer_.empty()))) {
        co_await linger();
        co_return false;
    }
    co_return !close_;
}

Task<void> Http1Connection::refuse(int status, std::string message) {
    state_->complain("answered " + std::to_string(status) + " to " + std::string(peer()) + ": " +
                     message);
    std::string body;
    if (state_->settings.error_body) {
        body = state_->settings.error_body(status, message);
    }
    close_ = true;
    append_head(status, state_->settings.error_fields, body.size());
    const auto sent = co_await stream_.write(out_, answer_.to_head() ? std::string_view() : body);
    if (sent) {
        co_await linger();
    }
}

Task<void> Http1Connection::linger() {
    buffer_.drop();
    body_buffer_.drop();
    co_await connection_.linger(kLinger, body_.done() ? kLingerBytes : kLingerBodyBytes);
}

void Http1Connection::abort() {
    broken_ = true;
    stream_.abort();
}

void Http1Connection::watch(Gone gone, void* context) {
    if (buffer_.empty() && body_buffer_.empty()) {
        stream_.watch(gone, context);
    }
}

}  // namespace weir::net
