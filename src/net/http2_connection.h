// One HTTP/2 connection from a client (RFC 9113), on nghttp2: frames in, frames out. Its requests
// are in http2_stream.h, its limits against abuse in http2_guard.h.
#pragma once

#include "codec/http2_frames.h"
#include "net/connection.h"
#include "net/http2_clock.h"
#include "net/http2_guard.h"
#include "net/http2_output.h"
#include "net/http2_streams.h"
#include "net/signal.h"

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::net {

/// Promises: backpressure in both directions (a request is read only as fast as its handler reads,
/// an answer only as fast as the client reads); a request learns at once that its client is gone;
/// the memory and work that a client can cause are bounded, and beyond the bounds the connection
/// ends with ENHANCE_YOUR_CALM. Without requests it holds no buffer of its own (nghttp2's are some
/// 20 KiB).
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
    /// Checks the result of an nghttp2 call that can fail only because memory is short. Then there
    /// is no memory for a message either, and the connection ends.
    void must(int result);
    void end();
    void terminate(std::uint32_t code, std::string_view why);
    void terminate_for(const std::optional<Http2Offence>& offence);

    void accept(Http2Stream& stream);
    void start_ready();
    void leave(Http2Stream& stream);
    void forget(Http2Stream& stream);
    bool crowded() const;
    void set_clock();
    void clock_fired();
    void finish_drain();

    Connection& connection_;
    ServerState& state_;
    ServerLoop& home_;
    Stream& stream_;
    nghttp2_session* session_ = nullptr;
    Http2Streams streams_;
    Http2Output out_;
    std::size_t tasks_ = 0;  // a posted flush, a write in flight: they refer to us
    Signal ended_;           // a live stream or one of tasks_ has
    Http2Clock clock_;
    Http2Drain drain_;
    codec::Http2FrameWalk walk_;
    Http2Guard guard_;
    bool in_session_ = false;  // nghttp2 is at work: it must not be called again
    bool flush_posted_ = false;
    bool terminated_ = false;
    bool over_ = false;
    bool lost_ = false;       // the socket is closed
    bool no_memory_ = false;  // within nghttp2: the session is unusable
};

}  // namespace weir::net
