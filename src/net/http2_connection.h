// One HTTP/2 connection from a client (RFC 9113), on nghttp2: frames in, frames out, and what a
// client may not do to us. Its requests are in http2_stream.h.
#pragma once

#include "codec/http2_frames.h"
#include "net/allowance.h"
#include "net/connection.h"
#include "net/http2_stream.h"
#include "net/signal.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

namespace weir::net {

/// The last few streams that something happened to.
class RecentStreams {
public:
    void add(std::int32_t id) { ids_[next_++ % ids_.size()] = id; }
    bool has(std::int32_t id) const { return std::ranges::find(ids_, id) != ids_.end(); }

private:
    std::array<std::int32_t, 128> ids_{};
    std::size_t next_ = 0;
};

/// Promises: a request's bytes are taken from the client only as fast as its handler reads them,
/// and an answer's bytes only as fast as the client takes them; a request whose client is gone is
/// told so at once; what a client has us hold and do is bounded, and beyond it the connection ends
/// with ENHANCE_YOUR_CALM. Without requests it holds no buffer of its own (nghttp2's are some 20
/// KiB).
class Http2Connection final : public Speaker {
public:
    explicit Http2Connection(Connection& connection);
    ~Http2Connection() override;
    Http2Connection(const Http2Connection&) = delete;
    Http2Connection& operator=(const Http2Connection&) = delete;

    /// Until the connection is over and its last handler has returned. `first` is what has been
    /// read from it already.
    Task<void> run(ReadBuffer& first);
    void drain() override;

private:
    friend class Http2Stream;
    friend struct Http2Events;
    /// What the connection's timer stands for.
    enum class Clock : std::uint8_t { none, settings, head, idle };

    void take_in(std::string_view bytes);
    void read_frames(std::string_view bytes);
    bool feed(std::string_view bytes);
    bool may_come(const codec::Http2FrameHead& head);
    bool read_what_is_there();
    /// Has nghttp2 make frames of what was submitted, as far as there is room.
    void pump();
    void flush();
    void flush_soon();
    Task<void> write_rest();
    void settle();
    void lose();
    /// Takes what nghttp2 returns where it can refuse for want of memory alone: then there is none
    /// left to say anything with either, and the connection ends.
    void must(int result);
    void end();
    void terminate(std::uint32_t code, std::string_view why);
    void fail_all(NetError why);

    void accept(Http2Stream& stream);
    void start_ready();
    void leave(Http2Stream& stream);
    void forget(Http2Stream& stream);
    bool crowded() const;
    void set_clock();
    void stop_clock();
    void clock_fired();
    void finish_drain();

    Connection& connection_;
    ServerState& state_;
    ServerLoop& home_;
    Stream& stream_;
    nghttp2_session* session_ = nullptr;
    std::vector<std::unique_ptr<Http2Stream>> opening_;  // the head is not complete yet
    std::vector<std::unique_ptr<Http2Stream>> ready_;    // complete, about to start
    std::vector<Http2Stream*> live_;  // from then on; they belong to their coroutines
    std::string out_;                 // frames on their way to the socket
    std::size_t sent_ = 0;            // of out_
    std::size_t tasks_ = 0;           // a posted flush, a write under way: they refer to us
    Signal ended_;                    // one of live_ or tasks_ has
    Timer timer_;
    Timer drain_timer_;
    Clock clock_ = Clock::none;
    codec::Http2FrameWalk walk_;
    std::int32_t last_stream_ = 0;  // the highest that the client has opened
    RecentStreams closed_;          // by the client, or with its whole answer
    RecentStreams reset_;           // by us: the client may not know yet
    Allowance resets_;
    Allowance refusals_;
    Allowance chores_;
    bool in_session_ = false;  // nghttp2 is at work: it must not be called again
    bool greeted_ = false;     // the client's SETTINGS have come
    bool head_open_ = false;
    bool flush_posted_ = false;
    bool writing_ = false;
    bool draining_ = false;
    bool terminated_ = false;
    bool drained_ = false;  // the last GOAWAY is submitted
    bool over_ = false;
    bool lost_ = false;       // the socket is no more
    bool no_memory_ = false;  // within nghttp2: the session is of no use
};

}  // namespace weir::net
