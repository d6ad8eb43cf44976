#include "net/http2_connection.h"

#include "net/http2_events.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

namespace weir::net {

namespace {

/// What a client sends before it hears our GOAWAY is still read: its window, and what it sends
/// without one.
constexpr Duration kGoodbye = std::chrono::seconds(1);
constexpr std::size_t kGoodbyeBytes = (std::size_t{1} << 20) + kHttp2Window;
/// Reads in a row before others on the loop have their turn.
constexpr int kReads = 4;
/// Frames that wait to be sent, beyond what answers to our own streams come to.
constexpr std::size_t kMostQueued = 1024;

}  // namespace

Http2Connection::Http2Connection(Connection& connection)
    : connection_(connection),
      state_(*connection.state()),
      home_(connection.home()),
      stream_(connection.stream()),
      ended_(home_.loop),
      clock_(
          home_.loop.wheel(),
          [](void* self) { static_cast<Http2Connection*>(self)->clock_fired(); }, this),
      drain_(
          home_.loop.wheel(),
          [](void* self) { static_cast<Http2Connection*>(self)->finish_drain(); }, this),
      walk_(NGHTTP2_CLIENT_MAGIC_LEN),
      guard_(std::chrono::steady_clock::now()) {
    try {
        session_ = make_http2_session(*this, state_.max_head.load());
    } catch (const std::bad_alloc&) {
        no_memory_ = true;
        over_ = true;
    }
    connection_.speak(this);
}

Http2Connection::~Http2Connection() {
    connection_.speak(nullptr);
    streams_.orphan();
    nghttp2_session_del(session_);
}

Task<void> Http2Connection::run(ReadBuffer& first) {
    if (no_memory_) {
        state_.log("closed the connection of " + std::string(connection_.peer()) +
                   ": there is no memory for an HTTP/2 session");
        co_return;
    }
    if (state_.draining.load(std::memory_order_relaxed)) {
        drain();
    }
    try {
        set_clock();
        take_in(first.view());
        first.drop();
        while (!over_) {
            const auto ready = co_await stream_.wait_readable();
            if (!ready || !read_what_is_there()) {
                break;
            }
        }
    } catch (const std::bad_alloc&) {
        lost_ = true;  // its streams are still to be ended in order
    }
    const bool left = !over_;  // the client, not we
    over_ = true;
    clock_.stop();
    drain_.stop();
    streams_.fail(NetError::closed);
    while (!streams_.live().empty() || tasks_ > 0) {
        co_await ended_.wait();
    }
    out_.drop();
    if (!left && !lost_) {
        co_await connection_.linger(kGoodbye, kGoodbyeBytes);
    }
}

/// False: there is no more to come.
bool Http2Connection::read_what_is_there() {
    ReadBuffer buffer;
    buffer.make_room();
    for (int i = 0; i < kReads && !over_; ++i) {
        const auto got = stream_.try_read(buffer.room());
        if (!got) {
            return false;
        }
        if (!*got) {
            break;
        }
        buffer.filled(**got);
        const bool full = buffer.room().empty();
        take_in(buffer.view());
        buffer.drop();
        buffer.make_room();
        if (!full) {
            break;
        }
    }
    return true;
}

void Http2Connection::take_in(std::string_view bytes) {
    read_frames(bytes);
    start_ready();
    set_clock();
    flush_soon();
}

void Http2Connection::read_frames(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto step = walk_.next(bytes);
        if (!feed(bytes.substr(0, step.bytes)) || (step.head && !may_come(*step.head))) {
            return;
        }
        bytes.remove_prefix(step.bytes);
    }
}

/// False: the connection ends.
bool Http2Connection::feed(std::string_view bytes) {
    if (bytes.empty()) {
        return true;
    }
    in_session_ = true;
    const auto taken = nghttp2_session_mem_recv(
        session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    in_session_ = false;
    if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
        terminate(NGHTTP2_PROTOCOL_ERROR, "not HTTP/2 after all");
    } else if (taken == NGHTTP2_ERR_NOMEM || no_memory_) {
        terminate(NGHTTP2_INTERNAL_ERROR, "out of memory");
    } else if (taken == NGHTTP2_ERR_CALLBACK_FAILURE) {
        terminate(NGHTTP2_ENHANCE_YOUR_CALM, "a header list without end");
    } else if (taken < 0) {
        terminate(NGHTTP2_ENHANCE_YOUR_CALM, nghttp2_strerror(static_cast<int>(taken)));
    } else if (nghttp2_session_get_outbound_queue_size(session_) > kMostQueued) {
        terminate(NGHTTP2_ENHANCE_YOUR_CALM, "answers to what it sends are not read");
    }
    return !terminated_;
}

/// False: the connection ends.
bool Http2Connection::may_come(const codec::Http2FrameHead& head) {
    const auto open = [this](std::int32_t stream) {
        return nghttp2_session_get_stream_remote_close(session_, stream) >= 0;
    };
    terminate_for(guard_.frame(head, open, std::chrono::steady_clock::now()));
    return !terminated_;
}

void Http2Connection::terminate_for(const std::optional<Http2Offence>& offence) {
    if (offence) {
        terminate(offence->code, offence->why);
    }
}

/// The connection ends with this GOAWAY; what is under way is cut.
void Http2Connection::terminate(std::uint32_t code, std::string_view why) {
    if (std::exchange(terminated_, true)) {
        return;
    }
    if (code != NGHTTP2_NO_ERROR) {
        state_.complain("the HTTP/2 connection of " + std::string(connection_.peer()) +
                        " was ended: " + std::string(why));
    }
    must(nghttp2_session_terminate_session(session_, code));
}

void Http2Connection::pump() {
    if (in_session_ || out_.waiting() || over_) {
        return;
    }
    in_session_ = true;
    while (!out_.full()) {
        const std::uint8_t* bytes = nullptr;
        const auto size = nghttp2_session_mem_send(session_, &bytes);
        if (size <= 0) {
            lost_ = lost_ || size < 0;
            break;
        }
        try {
            out_.add({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)});
        } catch (const std::bad_alloc&) {
            lost_ = true;  // a frame that is made and cannot be kept is missing for good
            break;
        }
    }
    in_session_ = false;
}

void Http2Connection::flush_soon() {
    if (!flush_posted_ && !over_) {
        flush_posted_ = true;
        ++tasks_;
        // Whoever else has something to write in this turn of the loop goes with it.
        home_.loop.post([this] {
            flush_posted_ = false;
            flush();
            --tasks_;
            ended_.notify();
        });
    }
}

void Http2Connection::flush() {
    while (!out_.waiting() && !over_) {
        pump();
        if (lost_) {  // nghttp2 can make no more frames
            lose();
            return;
        }
        std::string_view rest = out_.rest();
        if (rest.empty()) {
            settle();
            return;
        }
        std::string_view nothing;
        std::string_view no_more;
        const auto all = stream_.try_write(rest, nothing, no_more);
        if (!all) {
            lose();
        } else if (*all) {
            out_.clear();
        } else {
            out_.wait_with(rest);
            ++tasks_;
            try {
                home_.loop.spawn(write_rest());
            } catch (const std::bad_alloc&) {
                --tasks_;
                lose();
            }
        }
    }
}

/// The socket takes no more for now. Until it does, nothing is made into frames.
Task<void> Http2Connection::write_rest() {
    bool written = false;
    try {
        const auto done = co_await stream_.write(out_.rest());
        written = done.has_value();
    } catch (const std::bad_alloc&) {
        lost_ = true;
    }
    out_.clear();
    if (written) {
        flush();
    } else {
        lose();
    }
    --tasks_;
    ended_.notify();
}

/// All is written. Is the connection at its end?
void Http2Connection::settle() {
    if (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0) {
        end();
    } else if (streams_.live().empty()) {
        out_.drop();
    }
}

void Http2Connection::lose() {
    lost_ = true;
    end();
}

void Http2Connection::must(int result) {
    if (result == NGHTTP2_ERR_NOMEM) {
        lose();
    }
}

/// run() goes on from here.
void Http2Connection::end() {
    over_ = true;
    stream_.interrupt();
}

void Http2Connection::accept(Http2Stream& stream) {
    if (streams_.live().empty()) {
        home_.active.fetch_add(1, std::memory_order_relaxed);
    }
    home_.streams.fetch_add(1, std::memory_order_relaxed);
    streams_.accept(stream);
}

void Http2Connection::start_ready() {
    for (auto& stream : streams_.take_ready()) {
        if (!stream->closed_) {  // else: opened and given up in one breath
            home_.loop.spawn(Http2Stream::serve(std::move(stream)));
        }
    }
}

/// The handler has returned.
void Http2Connection::leave(Http2Stream& stream) {
    streams_.leave(stream);
    home_.streams.fetch_sub(1, std::memory_order_relaxed);
    if (streams_.live().empty()) {
        home_.active.fetch_sub(1, std::memory_order_relaxed);
    }
    if (!over_) {
        if (!stream.closed_) {
            nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
        }
        if (!stream.incoming_.empty()) {
            must(nghttp2_session_consume_connection(session_, stream.incoming_.size()));
        }
        set_clock();
        flush_soon();
    }
    ended_.notify();
}

void Http2Connection::forget(Http2Stream& stream) {
    clock_.head_ends();
    streams_.forget(stream);
}

/// Handlers of requests that were given up may still be at work: nghttp2 no longer counts those.
bool Http2Connection::crowded() const {
    std::size_t total = 0;
    for (const auto& one : state_.loops) {
        total += one->streams.load(std::memory_order_relaxed);
    }
    return streams_.live().size() >= 2 * kHttp2Streams || total >= state_.max_connections.load();
}

}  // namespace weir::net
