// The limits on what an HTTP/2 client may do, beyond what nghttp2 checks. Time is an argument.
#pragma once

#include "codec/http2_frames.h"
#include "net/allowance.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::net {

/// Ends the connection.
struct Http2Offence {
    std::uint32_t code = 0;  // of the GOAWAY
    std::string_view why;
};

/// Counts what costs the server and brings nothing: requests that end early, requests that find no
/// place, frames that ask for nothing. Remembers how streams ended that nghttp2 has forgotten: that
/// decides what a later frame on them means (RFC 9113 5.1).
class Http2Guard {
public:
    using Offence = std::optional<Http2Offence>;

    explicit Http2Guard(Instant now)
        : early_ends_(kEarlyEnds, kEarlyEndsPerSecond, now),
          refusals_(kRefusals, kRefusalsPerSecond, now),
          chores_(kChores, kChoresPerSecond, now) {}

    /// A frame begins. `open(stream)`: whether nghttp2 knows the stream.
    template <class Open>
    Offence frame(const codec::Http2FrameHead& head, Open open, Instant now) {
        const bool data = head.type == NGHTTP2_DATA;
        const bool headers = head.type == NGHTTP2_HEADERS;
        const bool last = (head.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        const bool asks = headers || (data && (head.length != 0 || last));
        if (!asks && !chores_.take(now)) {
            return Http2Offence{NGHTTP2_ENHANCE_YOUR_CALM, "too many frames that ask for nothing"};
        }
        if (headers && head.stream > last_stream_) {
            last_stream_ = head.stream;
            return {};
        }
        if ((!data && !headers) || head.stream > last_stream_ || reset_.has(head.stream) ||
            open(head.stream)) {
            return {};
        }
        if (closed_.has(head.stream)) {
            return Http2Offence{NGHTTP2_STREAM_CLOSED, "a frame on a stream that is over"};
        }
        if (headers) {
            return Http2Offence{NGHTTP2_PROTOCOL_ERROR, "a stream number lower than one before"};
        }
        return {};
    }

    /// A request has ended before its answer, by the client's RST_STREAM or by an error of the
    /// client: each has cost a start.
    Offence early_end(Instant now) {
        if (early_ends_.take(now)) {
            return {};
        }
        return Http2Offence{NGHTTP2_ENHANCE_YOUR_CALM, "too many requests given up"};
    }
    /// There was no place for a request: not the client's doing, unless it goes on and on.
    Offence refusal(Instant now) {
        if (refusals_.take(now)) {
            return {};
        }
        return Http2Offence{NGHTTP2_ENHANCE_YOUR_CALM, "too many requests at once"};
    }
    /// A frame of an answer earns the client some that ask for nothing.
    void answered() { chores_.give(kChoresPerData); }

    /// We have reset the stream; the client may not know yet.
    void reset(std::int32_t stream) { reset_.add(stream); }
    /// By the client, or with its whole answer.
    void closed(std::int32_t stream) {
        if (!reset_.has(stream)) {
            closed_.add(stream);
        }
    }

private:
    /// The last few streams with a certain event.
    class RecentStreams {
    public:
        void add(std::int32_t id) { ids_[next_++ % ids_.size()] = id; }
        bool has(std::int32_t id) const { return std::ranges::find(ids_, id) != ids_.end(); }

    private:
        std::array<std::int32_t, 128> ids_{};
        std::size_t next_ = 0;
    };

    // At once, and a second after that.
    static constexpr std::uint32_t kEarlyEnds = 200;
    static constexpr std::uint32_t kEarlyEndsPerSecond = 33;
    /// REFUSED_STREAM: a client may burst before it knows our limits, and has to slow down once it
    /// does.
    static constexpr std::uint32_t kRefusals = 2000;
    static constexpr std::uint32_t kRefusalsPerSecond = 200;
    static constexpr std::uint32_t kChores = 2000;
    static constexpr std::uint32_t kChoresPerSecond = 500;
    static constexpr std::uint32_t kChoresPerData = 4;

    std::int32_t last_stream_ = 0;  // the highest that the client has opened
    RecentStreams closed_;
    RecentStreams reset_;
    Allowance early_ends_;
    Allowance refusals_;
    Allowance chores_;
};

}  // namespace weir::net
