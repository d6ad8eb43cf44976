#include "net/http2_events.h"

#include "net/http2_connection.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <new>
#include <string_view>
#include <tuple>

namespace weir::net {

namespace {

std::string_view text(const std::uint8_t* bytes, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
}

Instant now() {
    return std::chrono::steady_clock::now();
}

/// nghttp2 is C and knows nothing of operator new's handler, which may have memory set aside: its
/// memory is asked for in the same way. Null: there really is none.
template <class Ask>
void* obtain(Ask ask) {
    for (;;) {
        if (void* const block = ask()) {
            return block;
        }
        const auto handler = std::get_new_handler();
        if (handler == nullptr) {
            return nullptr;
        }
        try {
            handler();
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }
}

// NOLINTBEGIN(cppcoreguidelines-no-malloc): this is C's memory
void* get(std::size_t size, void* /*user*/) {
    return obtain([=] { return std::malloc(size); });
}
void* get_zeroed(std::size_t count, std::size_t size, void* /*user*/) {
    return obtain([=] { return std::calloc(count, size); });
}
void* get_more(void* block, std::size_t size, void* /*user*/) {
    return obtain([=] { return std::realloc(block, size); });
}
void give_back(void* block, void* /*user*/) {
    std::free(block);
}
// NOLINTEND(cppcoreguidelines-no-malloc)

/// What nghttp2 has made, or bad_alloc: its makers return an error that is none but that.
template <class T>
T* made_by(int (*make)(T**)) {
    T* made = nullptr;
    if (make(&made) != 0) {
        throw std::bad_alloc();
    }
    return made;
}

}  // namespace

/// The session's callbacks. What they cause runs after the session has returned: handlers are
/// started then, and those that wait are woken through the loop.
struct Http2Events {
    /// A head may be this many times too large before the connection pays for it: up to there it is
    /// read to its end and answered 431.
    static constexpr std::size_t kBomb = 16;

    static Http2Connection& of(void* user) { return *static_cast<Http2Connection*>(user); }
    static Http2Stream* find(nghttp2_session* session, std::int32_t id) {
        return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session, id));
    }

    static int begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
        Http2Connection& connection = of(user);
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
            auto stream = std::make_unique<Http2Stream>(connection, frame->hd.stream_id);
            nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream.get());
            connection.streams_.open(std::move(stream));
        }
        connection.clock_.head_begins();
        return 0;
    }

    static void count_early_end(Http2Connection& connection) {
        connection.terminate_for(connection.guard_.early_end(now()));
    }
    static void count_refusal(Http2Connection& connection) {
        connection.terminate_for(connection.guard_.refusal(now()));
    }

    static int malformed(nghttp2_session* session, Http2Connection& connection, std::int32_t id) {
        connection.clock_.head_ends();
        connection.must(
            nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR));
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }

    static int field(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name,
                     std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                     std::uint8_t /*flags*/, void* user) {
        Http2Connection& connection = of(user);
        Http2Stream* const stream = find(session, frame->hd.stream_id);
        if (stream == nullptr) {
            return 0;
        }
        const std::size_t most = connection.state_.max_head.load();
        if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {  // trailers: checked, and left aside
            stream->trailer_bytes_ += name_size + value_size + 32;
            return stream->trailer_bytes_ > most
                       ? malformed(session, connection, frame->hd.stream_id)
                       : 0;
        }
        const auto added = stream->reader_.add(text(name, name_size), text(value, value_size));
        if (stream->reader_.bytes() > kBomb * most) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;  // the connection ends
        }
        if (!added && added.error() != codec::Http2Error::head_too_large &&
            added.error() != codec::Http2Error::too_many_fields) {
            return malformed(session, connection, frame->hd.stream_id);
        }
        return 0;
    }

    static int invalid_field(nghttp2_session* session, const nghttp2_frame* frame,
                             const std::uint8_t* /*name*/, std::size_t /*name_size*/,
                             const std::uint8_t* /*value*/, std::size_t /*value_size*/,
                             std::uint8_t /*flags*/, void* user) {
        return malformed(session, of(user), frame->hd.stream_id);
    }

    static int invalid_frame(nghttp2_session* session, const nghttp2_frame* frame, int error,
                             void* user) {
        if (frame->hd.type == NGHTTP2_HEADERS) {
            Http2Connection& connection = of(user);
            connection.clock_.head_ends();
            connection.guard_.reset(frame->hd.stream_id);
            if (error == NGHTTP2_ERR_REFUSED_STREAM) {  // it does not know our SETTINGS yet
                count_refusal(connection);
            } else if (find(session, frame->hd.stream_id) == nullptr) {  // never was a stream
                count_early_end(connection);
            }
        }
        return 0;
    }

    static void head_complete(nghttp2_session* session, const nghttp2_frame* frame,
                              Http2Connection& connection, Http2Stream& stream) {
        const bool has_body = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0;
        const auto read = stream.reader_.finish(has_body, stream.head_);
        if (!read) {
            stream.head_error_ = read.error();
            if (read.error() != codec::Http2Error::head_too_large &&
                read.error() != codec::Http2Error::too_many_fields) {
                connection.must(nghttp2_submit_rst_stream(
                    session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_PROTOCOL_ERROR));
                return;
            }
            stream.head_.clear();
        }
        if (connection.crowded()) {
            count_refusal(connection);
            stream.reset_ = true;
            connection.must(nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE,
                                                      frame->hd.stream_id, NGHTTP2_REFUSED_STREAM));
            return;
        }
        connection.accept(stream);
    }

    static int frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
        Http2Connection& connection = of(user);
        Http2Stream* const stream = find(session, frame->hd.stream_id);
        switch (frame->hd.type) {
            case NGHTTP2_HEADERS:
                connection.clock_.head_ends();
                if (stream != nullptr && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
                    head_complete(session, frame, connection, *stream);
                }
                break;
            case NGHTTP2_SETTINGS:
                connection.clock_.greeted();
                break;
            case NGHTTP2_PING:
                if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && connection.drain_.announced()) {
                    connection.finish_drain();
                }
                break;
            case NGHTTP2_GOAWAY:
                // NO_ERROR: the client opens no more, and still wants what it has asked for.
                if (frame->goaway.error_code != NGHTTP2_NO_ERROR) {
                    connection.end();
                }
                break;
            default:
                break;
        }
        const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (last && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)) {
            if (Http2Stream* const ended = find(session, frame->hd.stream_id)) {
                ended->incoming_.end();
                ended->signal_.notify();
            }
        }
        return 0;
    }

    static int data(nghttp2_session* session, std::uint8_t /*flags*/, std::int32_t id,
                    const std::uint8_t* bytes, std::size_t size, void* user) {
        if (Http2Stream* const stream = find(session, id)) {
            stream->add_body(text(bytes, size));
        } else {
            of(user).must(nghttp2_session_consume_connection(session, size));
        }
        return 0;
    }

    static int stream_closed(nghttp2_session* session, std::int32_t id, std::uint32_t code,
                             void* user) {
        Http2Connection& connection = of(user);
        Http2Stream* const stream = find(session, id);
        connection.guard_.closed(id);
        if (stream == nullptr) {
            return 0;
        }
        const bool ours = stream->reset_;
        const bool whole = stream->answer_.ended() && code == NGHTTP2_NO_ERROR;
        nghttp2_session_set_stream_user_data(session, id, nullptr);
        stream->close(NetError::reset);
        if (!stream->registered_) {
            connection.forget(*stream);
        }
        if (!ours && !whole) {
            count_early_end(connection);
        }
        return 0;
    }

    static int sent(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user) {
        if (frame->hd.type == NGHTTP2_RST_STREAM) {
            of(user).guard_.reset(frame->hd.stream_id);
        }
        return 0;
    }

    static int not_sent(nghttp2_session* session, const nghttp2_frame* frame, int /*error*/,
                        void* user) {
        if (frame->hd.type == NGHTTP2_HEADERS && find(session, frame->hd.stream_id) != nullptr) {
            of(user).must(nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                                    NGHTTP2_INTERNAL_ERROR));
        }
        return 0;
    }

    /// How much of an answer's body may go into the next frame. The bytes are copied in send_data.
    static ssize_t pick(nghttp2_session* session, std::int32_t id, std::uint8_t* /*buffer*/,
                        std::size_t most, std::uint32_t* flags, nghttp2_data_source* /*source*/,
                        void* /*user*/) {
        Http2Stream* const stream = find(session, id);
        if (stream == nullptr) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
        const auto next = stream->outgoing_.next(most);
        if (!next) {
            return NGHTTP2_ERR_DEFERRED;
        }
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
        if (next->last) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
        }
        return static_cast<ssize_t>(next->size);
    }

    static int send_data(nghttp2_session* session, nghttp2_frame* frame, const std::uint8_t* head,
                         std::size_t size, nghttp2_data_source* /*source*/, void* user) {
        Http2Connection& connection = of(user);
        Http2Stream* const stream = find(session, frame->hd.stream_id);
        if (stream == nullptr || stream->outgoing_.size() < size) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
        if (connection.out_.full()) {
            return NGHTTP2_ERR_WOULDBLOCK;
        }
        connection.out_.add(text(head, kFrameHead));
        connection.out_.add(stream->outgoing_.take(size));
        connection.guard_.answered();
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
            stream->answer_.end();
        }
        if (stream->timer_.armed()) {
            stream->timer_.set_after(connection.state_.write_timeout.load());
        }
        if (stream->outgoing_.empty()) {
            stream->signal_.notify();
        }
        return 0;
    }

    static constexpr std::size_t kFrameHead = 9;

    /// A callback as nghttp2 gets it: an exception must not pass through C. There is only the one
    /// that memory has run out; the session is of no use then.
    template <auto kWork, class... Given>
    static int safe(Given... given) {
        try {
            return kWork(given...);
        } catch (const std::bad_alloc&) {
            of(std::get<sizeof...(given) - 1>(std::tie(given...))).no_memory_ = true;
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    }

    static nghttp2_session_callbacks* callbacks() {
        auto* const made = made_by(nghttp2_session_callbacks_new);
        nghttp2_session_callbacks_set_on_begin_headers_callback(made, safe<begin_headers>);
        nghttp2_session_callbacks_set_on_header_callback(made, safe<field>);
        nghttp2_session_callbacks_set_on_invalid_header_callback(made, safe<invalid_field>);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, safe<invalid_frame>);
        nghttp2_session_callbacks_set_on_frame_recv_callback(made, safe<frame>);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, safe<data>);
        nghttp2_session_callbacks_set_on_stream_close_callback(made, safe<stream_closed>);
        nghttp2_session_callbacks_set_on_frame_send_callback(made, safe<sent>);
        nghttp2_session_callbacks_set_on_frame_not_send_callback(made, safe<not_sent>);
        nghttp2_session_callbacks_set_send_data_callback(made, safe<send_data>);
        return made;
    }

    static nghttp2_option* options() {
        auto* const made = made_by(nghttp2_option_new);
        nghttp2_option_set_no_auto_window_update(made, 1);
        nghttp2_option_set_no_closed_streams(made, 1);
        nghttp2_option_set_server_fallback_rfc7540_priorities(made, 1);
        nghttp2_option_set_max_outbound_ack(made, 256);
        nghttp2_option_set_max_send_header_block_length(made, 256UL << 10);
        return made;
    }
};

nghttp2_data_provider http2_answer_body() {
    nghttp2_data_provider body{};
    body.read_callback = Http2Events::pick;
    return body;
}

nghttp2_session* make_http2_session(Http2Connection& connection, std::size_t max_head) {
    static const nghttp2_session_callbacks* const callbacks = Http2Events::callbacks();
    static const nghttp2_option* const options = Http2Events::options();
    static nghttp2_mem memory{nullptr, get, give_back, get_zeroed, get_more};
    nghttp2_session* session = nullptr;
    if (nghttp2_session_server_new3(&session, callbacks, &connection, options, &memory) != 0) {
        throw std::bad_alloc();
    }
    const std::array<nghttp2_settings_entry, 4> settings{{
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kHttp2Streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(kHttp2StreamWindow)},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(max_head)},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    }};
    if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) !=
            0 ||
        nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kHttp2Window) != 0) {
        nghttp2_session_del(session);
        throw std::bad_alloc();
    }
    return session;
}

}  // namespace weir::net
