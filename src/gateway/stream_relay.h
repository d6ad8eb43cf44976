// Between the bytes of one upstream stream and the client's: whole messages only, held back until
// the answer is known good.
#pragma once

#include "bedrock/answer.h"
#include "codec/eventstream.h"

#include <string>
#include <string_view>

namespace weir::gateway {

/// Without I/O: take() is fed what arrived and says what may go on.
///
/// Invariant: what it lets through is a sequence of whole messages with good checksums, and begins
/// only at the first content event (or when 64 KiB of preamble have come), so that a failure before
/// is never seen below.
class StreamRelay {
public:
    StreamRelay(bedrock::Operation operation, bool end_required)
        : watcher_(operation), end_required_(end_required) {}

    enum class State : std::uint8_t {
        holding,   // nothing may go on yet
        flowing,   // what take() returned goes on
        failed,    // refused before content: failure() says how; nothing has gone on
        excepted,  // an exception after content; it is part of what take() returned, and is the end
        garbled,   // framing or checksum broken
    };

    /// Views live until the next take(), and `second` no longer than `bytes`. Send first, then
    /// second.
    struct Out {
        std::string_view first;
        std::string_view second;
    };
    Out take(std::string_view bytes);

    /// The upstream body ended: was that the model's own end?
    bool ended_cleanly() const;
    /// An answer without content that ended cleanly: what was held, to be sent after all.
    std::string_view held() const { return held_; }

    State state() const { return state_; }
    bool begun() const { return state_ == State::flowing || state_ == State::excepted; }
    Usage usage() const { return watcher_.usage(); }
    const Failure& failure() const { return watcher_.failure(); }

private:
    static constexpr std::size_t kMaxHeld = 64UL << 10;
    static constexpr std::size_t kMaxMessage = 1UL << 20;

    bedrock::StreamWatcher watcher_;
    codec::EventMessage message_;
    std::string held_;      // whole messages not let through yet
    std::string tail_;      // the beginning of a message, or what take() worked on last
    std::size_t used_ = 0;  // bytes of tail_ that have gone on
    State state_ = State::holding;
    bool end_required_;
};

/// The typed end of a stream that broke after content went to the client.
std::string broken_stream_event(std::string_view message);

}  // namespace weir::gateway
