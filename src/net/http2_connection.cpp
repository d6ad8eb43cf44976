#include "net/http2_connection.h"

#include "net/http2_events.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

namespace weir::net {

namespace {

/// A client that may still send on what it has: told to stop, it gets this long to hear it.
constexpr Duration kDrainNotice = std::chrono::seconds(1);
/// What a client sends before it hears our GOAWAY is still read: its window, and what it sends
/// without one.
constexpr Duration kLinger = std::chrono::seconds(1);
constexpr std::size_t kLingerBytes = (std::size_t{1} << 20) + kHttp2Window;
/// Reads in a row before others on the loop have their turn.
constexpr int kReads = 4;
/// Frames that wait to be sent, beyond what answers to our own streams come to.
constexpr std::size_t kMostQueued = 1024;
/// Requests a client may give up, and frames that ask for nothing: at once, and a second.
constexpr std::uint32_t kResets = 200;
constexpr std::uint32_t kResetsPerSecond = 33;
/// Requests that we refuse before they begin (REFUSED_STREAM): a client may burst before it knows
/// our limits, and has to slow down once it does.
constexpr std::uint32_t kRefusals = 2000;
constexpr std::uint32_t kRefusalsPerSecond = 200;
constexpr std::uint32_t kChores = 2000;
constexpr std::uint32_t kChoresPerSecond = 500;

}  // namespace

Http2Connection::Http2Connection(Connection& connection)
    : connection_(connection),
      state_(*connection.state()),
      home_(connection.home()),
      stream_(connection.stream()),
      ended_(home_.loop),
      timer_(
          home_.loop.wheel(),
          [](void* self) { static_cast<Http2Connection*>(self)->clock_fired(); }, this),
      drain_timer_(
          home_.loop.wheel(),
          [](void* self) { static_cast<Http2Connection*>(self)->finish_drain(); }, this),
      walk_(NGHTTP2_CLIENT_MAGIC_LEN),
      resets_(kResets, kResetsPerSecond, std::chrono::steady_clock::now()),
      refusals_(kRefusals, kRefusalsPerSecond, std::chrono::steady_clock::now()),
      chores_(kChores, kChoresPerSecond, std::chrono::steady_clock::now()) {
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
    for (Http2Stream* stream : live_) {  // at shutdown, when frames go in any order
        stream->connection_ = nullptr;
    }
    for (const auto& stream : opening_) {
        stream->connection_ = nullptr;
    }
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
    timer_.clear();
    drain_timer_.clear();
    fail_all(NetError::closed);
    while (!live_.empty() || tasks_ > 0) {
        co_await ended_.wait();
    }
    out_ = std::string();
    if (!left && !lost_) {
        co_await connection_.linger(kLinger, kLingerBytes);
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

/// What nghttp2 does not look after: frames that ask for nothing, and frames on streams that it has
/// forgotten; what those mean hangs on how the stream ended (RFC 9113 5.1). False: the connection
/// ends.
bool Http2Connection::may_come(const codec::Http2FrameHead& head) {
    const bool data = head.type == NGHTTP2_DATA;
    const bool headers = head.type == NGHTTP2_HEADERS;
    const bool last = (head.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    const bool asks = headers || (data && (head.length != 0 || last));
    if (!asks && !chores_.take(std::chrono::steady_clock::now())) {
        terminate(NGHTTP2_ENHANCE_YOUR_CALM, "too many frames that ask for nothing");
        return false;
    }
    if (headers && head.stream > last_stream_) {
        last_stream_ = head.stream;
        return true;
    }
    const bool open = nghttp2_session_get_stream_remote_close(session_, head.stream) >= 0;
    if ((!data && !headers) || open || reset_.has(head.stream) || head.stream > last_stream_) {
        return true;
    }
    if (closed_.has(head.stream)) {
        terminate(NGHTTP2_STREAM_CLOSED, "a frame on a stream that is over");
    } else if (headers) {
        terminate(NGHTTP2_PROTOCOL_ERROR, "a stream number lower than one before");
    }
    return !terminated_;
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
    if (in_session_ || writing_ || over_) {
        return;
    }
    in_session_ = true;
    while (out_.size() < kHttp2Out) {
        const std::uint8_t* bytes = nullptr;
        const auto size = nghttp2_session_mem_send(session_, &bytes);
        if (size <= 0) {
            lost_ = lost_ || size < 0;
            break;
        }
        try {
            out_.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
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
    while (!writing_ && !over_) {
        pump();
        if (lost_) {  // nghttp2 can make no more frames
            lose();
            return;
        }
        std::string_view rest = std::string_view(out_).substr(sent_);
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
            sent_ = 0;
        } else {
            sent_ = out_.size() - rest.size();
            writing_ = true;
            ++tasks_;
            try {
                home_.loop.spawn(write_rest());
            } catch (const std::bad_alloc&) {
                writing_ = false;
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
        const auto done = co_await stream_.write(std::string_view(out_).substr(sent_));
        written = done.has_value();
    } catch (const std::bad_alloc&) {
        lost_ = true;
    }
    writing_ = false;
    out_.clear();
    sent_ = 0;
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
    } else if (live_.empty()) {
        out_ = std::string();
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

void Http2Connection::fail_all(NetError why) {
    opening_.clear();
    for (Http2Stream* stream : live_) {
        stream->close(why);
    }
}

void Http2Connection::accept(Http2Stream& stream) {
    const auto found =
        std::ranges::find_if(opening_, [&stream](const auto& one) { return one.get() == &stream; });
    ready_.push_back(std::move(*found));
    opening_.erase(found);
    if (live_.empty()) {
        home_.active.fetch_add(1, std::memory_order_relaxed);
    }
    home_.streams.fetch_add(1, std::memory_order_relaxed);
    live_.push_back(&stream);
    stream.registered_ = true;
}

void Http2Connection::start_ready() {
    auto ready = std::exchange(ready_, {});
    for (auto& stream : ready) {
        if (!stream->closed_) {  // else: opened and given up in one breath
            home_.loop.spawn(Http2Stream::serve(std::move(stream)));
        }
    }
}

/// The handler has returned.
void Http2Connection::leave(Http2Stream& stream) {
    std::erase(live_, &stream);
    home_.streams.fetch_sub(1, std::memory_order_relaxed);
    if (live_.empty()) {
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
    head_open_ = false;
    std::erase_if(opening_, [&stream](const auto& one) { return one.get() == &stream; });
}

/// Handlers of requests that were given up may still be at work: nghttp2 no longer counts those.
bool Http2Connection::crowded() const {
    std::size_t total = 0;
    for (const auto& one : state_.loops) {
        total += one->streams.load(std::memory_order_relaxed);
    }
    return live_.size() >= 2 * kHttp2Streams || total >= state_.max_connections.load();
}

void Http2Connection::set_clock() {
    Clock next = Clock::none;
    if (!greeted_) {
        next = Clock::settings;
    } else if (head_open_) {
        next = Clock::head;
    } else if (live_.empty()) {
        next = Clock::idle;
    }
    if (over_ || next == clock_) {
        return;
    }
    stop_clock();
    clock_ = next;
    if (next != Clock::none) {
        timer_.set_after(next == Clock::idle ? state_.idle_timeout.load()
                                             : state_.head_timeout.load());
    }
}

void Http2Connection::stop_clock() {
    clock_ = Clock::none;
    timer_.clear();
}

void Http2Connection::clock_fired() {
    if (over_) {
        return;
    }
    switch (clock_) {
        case Clock::settings:
            terminate(NGHTTP2_SETTINGS_TIMEOUT, "its SETTINGS did not arrive in time");
            break;
        case Clock::head:
            terminate(NGHTTP2_ENHANCE_YOUR_CALM, "a request's head did not arrive in time");
            break;
        default:
            terminate(NGHTTP2_NO_ERROR, "idle");
            break;
    }
    flush_soon();
}

/// First "soon", then, when the client has answered a PING and so has heard it, "from here on":
/// what it sent meanwhile is served.
void Http2Connection::drain() {
    if (draining_ || over_) {
        return;
    }
    draining_ = true;
    must(nghttp2_submit_shutdown_notice(session_));
    must(nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr));
    drain_timer_.set_after(kDrainNotice);
    flush_soon();
}

void Http2Connection::finish_drain() {
    if (drained_ || over_) {
        return;
    }
    drained_ = true;
    drain_timer_.clear();
    must(nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                               nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                               nullptr, 0));
    flush_soon();
}

}  // namespace weir::net
