#include "net/http2_stream.h"

#include "net/date.h"
#include "net/failed.h"
#include "net/http2_connection.h"
#include "net/http2_events.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>
#include <utility>
#include <vector>

namespace weir::net {

namespace {

std::string_view text_of(std::uint64_t number, std::array<char, 24>& into) {
    const auto end = std::to_chars(into.data(), into.data() + into.size(), number).ptr;
    return {into.data(), static_cast<std::size_t>(end - into.data())};
}

bool of_the_connection(std::string_view name) {
    using codec::equals_ignore_case;
    return equals_ignore_case(name, "connection") || equals_ignore_case(name, "keep-alive") ||
           equals_ignore_case(name, "proxy-connection") ||
           equals_ignore_case(name, "transfer-encoding") || equals_ignore_case(name, "upgrade");
}

/// An answer's head as nghttp2 takes it; it copies all of it at once.
class FieldList {
public:
    explicit FieldList(std::string_view lines) { names_.reserve(lines.size()); }

    void add(std::string_view name, std::string_view value) {
        nghttp2_nv field{};
        field.name = bytes(name);
        field.namelen = name.size();
        field.value = bytes(value);
        field.valuelen = value.size();
        fields_.push_back(field);
    }
    /// "Name: value\r\n" ...; HTTP/2 has names in lower case.
    void add_lines(std::string_view lines) {
        while (!lines.empty()) {
            const auto end = lines.find("\r\n");
            const auto line = lines.substr(0, end);
            lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 2);
            const auto colon = line.find(':');
            const auto name = line.substr(0, colon);
            auto value = line.substr(std::min(line.size(), name.size() + 1));
            while (value.starts_with(' ') || value.starts_with('\t')) {
                value.remove_prefix(1);
            }
            while (value.ends_with(' ') || value.ends_with('\t')) {
                value.remove_suffix(1);
            }
            if (!name.empty() && !of_the_connection(name)) {
                add(lower(name), value);
            }
        }
    }
    const nghttp2_nv* data() const { return fields_.data(); }
    std::size_t size() const { return fields_.size(); }

private:
    static std::uint8_t* bytes(std::string_view text) {
        return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    }
    /// Never grows names_ beyond what is reserved, so that what was given out stays.
    std::string_view lower(std::string_view name) {
        const std::size_t at = names_.size();
        for (char c : name) {
            names_ += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
        }
        return std::string_view(names_).substr(at);
    }

    std::string names_;
    std::vector<nghttp2_nv> fields_;
};

}  // namespace

Http2Stream::Http2Stream(Http2Connection& connection, std::int32_t id)
    : connection_(&connection),
      id_(id),
      reader_(connection.state_.max_head.load()),
      signal_(connection.home_.loop),
      timer_(
          connection.home_.loop.wheel(),
          [](void* self) { static_cast<Http2Stream*>(self)->fired(); }, this) {}

Http2Stream::~Http2Stream() {
    if (registered_ && connection_ != nullptr) {
        connection_->leave(*this);
    }
}

Loop& Http2Stream::loop() {
    return connection_->home_.loop;
}

std::string_view Http2Stream::peer() const {
    return connection_->connection_.peer();
}

bool Http2Stream::secure() const {
    return connection_->stream_.secure();
}

Task<void> Http2Stream::serve(std::unique_ptr<Http2Stream> stream) {
    Http2Stream& my = *stream;
    const auto& state = my.connection_->state_;
    my.answer_ = AnswerProgress(my.head_.method == "HEAD");
    my.upload_.begin(my.head_.expect_continue);
    bool threw = false;
    std::string what;
    try {
        if (my.head_error_) {
            co_await my.refuse(431, codec::to_string(*my.head_error_));
        } else {
            co_await state.handler(my);
        }
    } catch (const std::exception& error) {
        threw = true;
        what = error.what();
    } catch (...) {
        threw = true;
        what = "unknown";
    }
    my.unwatch();
    try {
        if (threw) {
            state.log("a request from " + std::string(my.peer()) +
                      " ended with an exception: " + what);
        } else {
            co_await my.finish();
        }
    } catch (const std::exception&) {
        threw = true;
    }
    if (threw) {
        my.abort();
    }
}

Task<void> Http2Stream::finish() {
    if (closed_ || reset_) {
        co_return;
    }
    if (!answer_.begun()) {
        if (!upload_.failed()) {
            co_await refuse(500, "no answer was made");
        } else if (why_ == NetError::timeout) {
            co_await refuse(408, "the request's body did not arrive in time");
        }
    }
    if (!answer_.ended()) {
        abort();
    } else if (!incoming_.ended() && !closed_) {
        reset(NGHTTP2_NO_ERROR);  // RFC 9113 8.1: the rest of the body is not wanted
    }
}

Task<void> Http2Stream::refuse(int status, std::string_view message) {
    const auto& settings = connection_->state_.settings;
    connection_->state_.complain("answered " + std::to_string(status) + " to " +
                                 std::string(peer()) + ": " + std::string(message));
    std::string body;
    if (settings.error_body) {
        body = settings.error_body(status, message);
    }
    co_await send(status, settings.error_fields, body);
}

void Http2Stream::add_body(std::string_view bytes) {
    incoming_.add(bytes);
    signal_.notify();
}

Task<NetResult<std::string_view>> Http2Stream::read_body() {
    for (;;) {
        if (upload_.failed() || ((closed_ || reset_) && !answer_.ended())) {
            upload_.fail(why_);
            co_return std::unexpected(broken_with());
        }
        if (!incoming_.empty()) {
            const std::string_view given = incoming_.take();
            upload_.pace().received(given.size());
            if (!closed_) {
                connection_->must(
                    nghttp2_session_consume(connection_->session_, id_, given.size()));
                connection_->flush_soon();
            }
            co_return given;
        }
        if (incoming_.ended()) {
            incoming_.drop();
            co_return std::string_view();
        }
        if (upload_.ask() && !answer_.begun()) {
            FieldList fields{std::string_view()};
            fields.add(":status", "100");
            connection_->must(nghttp2_submit_headers(connection_->session_, NGHTTP2_FLAG_NONE, id_,
                                                     nullptr, fields.data(), fields.size(),
                                                     nullptr));
            connection_->flush_soon();
        }
        timer_.set_after(upload_.pace().left(connection_->state_.head_timeout.load(),
                                             std::chrono::steady_clock::now()));
        co_await signal_.wait();
        timer_.clear();
        if (std::exchange(timed_out_, false) && incoming_.empty() && !incoming_.ended() &&
            !closed_) {
            why_ = NetError::timeout;
            upload_.fail(why_);
        }
    }
}

void Http2Stream::submit(int status, std::string_view fields, std::optional<std::uint64_t> length,
                         bool with_body) {
    FieldList list(fields);
    std::array<char, 24> status_text;
    std::array<char, 24> length_text;
    list.add(":status", text_of(static_cast<std::uint64_t>(status), status_text));
    const auto date = date_line();
    list.add("date", date.substr(6, date.size() - 8));
    list.add_lines(fields);
    if (length && !bodiless(status)) {
        list.add("content-length", text_of(*length, length_text));
    }
    submitted_ = true;
    const nghttp2_data_provider body = http2_answer_body();
    connection_->must(nghttp2_submit_response(connection_->session_, id_, list.data(), list.size(),
                                              with_body ? &body : nullptr));
    if (!with_body) {
        answer_.end();  // the head's frame says so
    }
}

Task<NetResult<void>> Http2Stream::hand_over() {
    connection_->pump();
    connection_->flush_soon();
    const auto done = [this] {
        return outgoing_.empty() && (!outgoing_.last() || answer_.ended());
    };
    if (!done()) {
        timer_.set_after(connection_->state_.write_timeout.load());
        while (!closed_ && !reset_ && !timed_out_ && !done()) {
            co_await signal_.wait();
        }
        timer_.clear();
    }
    if (done()) {
        co_return NetResult<void>();
    }
    outgoing_.drop();
    if (timed_out_) {
        why_ = NetError::timeout;
        abort();
    }
    co_return std::unexpected(broken_with());
}

Task<NetResult<void>> Http2Stream::send(int status, std::string_view fields,
                                        std::string_view body) {
    if (answer_.begun()) {
        co_return std::unexpected(failed(NetError::protocol));
    }
    answer_.begin(status, std::nullopt);
    if (closed_ || reset_) {
        co_return std::unexpected(broken_with());
    }
    const bool with_body = !answer_.silent() && !body.empty();
    outgoing_.offer(with_body ? body : std::string_view(), true);
    submit(status, fields, body.size(), with_body);
    co_return co_await hand_over();
}

Task<NetResult<void>> Http2Stream::begin(int status, std::string_view fields,
                                         std::optional<std::uint64_t> length) {
    if (answer_.begun()) {
        co_return std::unexpected(failed(NetError::protocol));
    }
    answer_.begin(status, length);
    fields_ = fields;
    co_return NetResult<void>();
}

Task<NetResult<void>> Http2Stream::write(std::string_view content) {
    if (closed_ || reset_) {
        co_return std::unexpected(broken_with());
    }
    if (!answer_.begun() || outgoing_.last()) {
        co_return std::unexpected(failed(NetError::protocol));
    }
    if (content.empty() || answer_.silent()) {
        co_return NetResult<void>();
    }
    if (!answer_.take(content.size())) {
        co_return std::unexpected(failed(NetError::protocol));
    }
    outgoing_.offer(content, answer_.length() && answer_.complete());
    if (!submitted_) {
        submit(answer_.status(), fields_, answer_.length(), true);
        fields_ = std::string();
    } else {
        resume();
    }
    co_return co_await hand_over();
}

Task<NetResult<void>> Http2Stream::flush() {
    if (closed_ || reset_) {
        co_return std::unexpected(broken_with());
    }
    if (!answer_.begun()) {
        co_return std::unexpected(failed(NetError::protocol));
    }
    if (!submitted_ && !answer_.silent()) {
        submit(answer_.status(), fields_, answer_.length(), true);
        fields_ = std::string();
        connection_->pump();
        connection_->flush_soon();
    }
    co_return NetResult<void>();
}

Task<NetResult<void>> Http2Stream::end() {
    if (!answer_.begun() || (outgoing_.last() && !answer_.length())) {
        co_return std::unexpected(failed(NetError::protocol));
    }
    if (answer_.ended()) {
        co_return NetResult<void>();
    }
    if (closed_ || reset_) {
        co_return std::unexpected(broken_with());
    }
    if (!answer_.complete()) {
        abort();
        co_return std::unexpected(failed(NetError::protocol));
    }
    outgoing_.offer({}, true);
    if (!submitted_) {
        submit(answer_.status(), fields_, answer_.length(), false);
    } else {
        resume();
    }
    co_return co_await hand_over();
}

void Http2Stream::resume() {
    if (outgoing_.resume()) {
        connection_->must(nghttp2_session_resume_data(connection_->session_, id_));
    }
}

void Http2Stream::reset(std::uint32_t code) {
    if (!closed_ && !reset_) {
        reset_ = true;
        connection_->must(
            nghttp2_submit_rst_stream(connection_->session_, NGHTTP2_FLAG_NONE, id_, code));
        connection_->flush_soon();
    }
}

void Http2Stream::abort() {
    outgoing_.drop();
    reset(NGHTTP2_INTERNAL_ERROR);
}

void Http2Stream::fired() {
    timed_out_ = true;
    signal_.notify();
}

/// nghttp2 has forgotten the stream, or the connection is over.
void Http2Stream::close(NetError why) {
    if (closed_) {
        return;
    }
    closed_ = true;
    if (!upload_.failed()) {
        why_ = why;
    }
    signal_.notify();
    if (reset_) {
        watch_.clear();
    }
    watch_.tell();
}

NetFailure Http2Stream::broken_with() const {
    return failed(why_);
}

void Http2Stream::watch(Gone gone, void* context) {
    if (closed_) {
        gone(context);
        return;
    }
    watch_.set(gone, context);
}

}  // namespace weir::net
