// Between the bytes of one upstream stream and the client's: whole messages only, held back until
// the answer is known good.
#pragma once

#include "bedrock/answer.h"
#include "bedrock/sse_watcher.h"
#include "codec/eventstream.h"
#include "codec/sse.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

/// Without I/O: take() is fed what arrived and says what may go on.
///
/// Invariant: what it lets through is a sequence of whole messages, their checksums good where they
/// have any, and begins only at the first content event (or when 64 KiB of preamble have come), so
/// that a failure before is never seen below. After release() the message that opens the stream and
/// pings go on before that: another attempt can follow those, for it repeats nothing of them.
class StreamRelay {
public:
    virtual ~StreamRelay() = default;

    enum class State : std::uint8_t {
        holding,   // nothing may go on yet
        flowing,   // what take() returned goes on
        failed,    // refused before content: failure() says how; nothing has gone on
        excepted,  // an exception after content; it is part of what take() returned, and is the end
        garbled,   // framing or checksum broken
        too_large,  // one message beyond what the protocol allows
    };

    /// Views live until the next take(), and `second` no longer than `bytes`. Send first, then
    /// second.
    struct Out {
        std::string_view first;
        std::string_view second;
    };
    Out take(std::string_view bytes);

    /// The client is to see life: from now on the opening message and pings go out as they come.
    /// Returns those that were held; good until the next take(). `opened`: an earlier attempt's
    /// opening message is with the client already, so that this one's is left out.
    std::string_view release(bool opened);
    /// An opening message is with the client.
    bool opened() const { return opened_; }

    /// Memory that is taken by what has come and not gone on.
    std::size_t memory() const {
        return held_.capacity() + tail_.capacity() + shown_.capacity() + early_.capacity();
    }

    /// The upstream's body has ended: what goes on where it ended in a message that is whole but
    /// for its end. To be called once, before ended_cleanly(); what take() says of views holds
    /// here.
    Out finish();
    /// The upstream body ended: was that the model's own end?
    bool ended_cleanly() const;
    /// An answer without content that ended cleanly: what was held, to be sent after all.
    std::string_view held() const { return held_; }

    State state() const { return state_; }
    bool begun() const { return state_ == State::flowing || state_ == State::excepted; }
    virtual Usage usage() const = 0;
    virtual const Failure& failure() const = 0;
    /// Of a Responses stream, once it was told; else empty.
    virtual std::string_view response_id() const { return {}; }

    /// The typed end of a stream that broke after content went to the client.
    virtual std::string broken_end(std::string_view message) const = 0;

protected:
    explicit StreamRelay(bool end_required) : end_required_(end_required) {}

    /// The message at the front of `data`. `size` 0: not all there yet, `garbled` or `too_large`.
    struct Step {
        std::size_t size = 0;
        bool garbled = false;
        bool too_large = false;
        bool hidden = false;  // not for the client
        bedrock::StreamKind kind = bedrock::StreamKind::preamble;
    };
    virtual Step next(std::string_view data) = 0;
    /// What `rest`, the beginning of a message, lacks to be whole; empty: more than can be told.
    virtual std::string_view missing_end(std::string_view /*rest*/) const { return {}; }
    virtual bool model_ended() const = 0;

private:
    static constexpr std::size_t kMaxHeld = 64UL << 10;

    bool hold(const Step& step, std::string_view message);

    struct Held {
        std::size_t size;
        bedrock::StreamKind kind;
    };
    std::vector<Held> parts_;  // of held_
    std::string held_;         // whole messages not let through yet
    std::string early_;        // what goes out before content
    std::string tail_;         // the beginning of a message, or what take() worked on last
    std::string shown_;        // what is left of a block where a message in it is hidden
    std::size_t used_ = 0;     // bytes of tail_ that have gone on
    State state_ = State::holding;
    bool released_ = false;
    bool opened_ = false;
    bool end_required_;
};

/// Bedrock's own event streams.
class EventRelay final : public StreamRelay {
public:
    EventRelay(bedrock::Operation operation, bool end_required)
        : StreamRelay(end_required), watcher_(operation) {}

    Usage usage() const override { return watcher_.usage(); }
    const Failure& failure() const override { return watcher_.failure(); }
    std::string broken_end(std::string_view message) const override;

private:
    Step next(std::string_view data) override;
    bool model_ended() const override { return watcher_.ended(); }

    bedrock::StreamWatcher watcher_;
    codec::EventMessage message_;
};

/// Server-sent events of the OpenAI and Anthropic paths.
class SseRelay final : public StreamRelay {
public:
    /// `hides_usage`: as SseWatcher has it.
    SseRelay(bedrock::Operation operation, bool hides_usage)
        : StreamRelay(true), operation_(operation), watcher_(operation, hides_usage) {}

    Usage usage() const override { return watcher_.usage(); }
    const Failure& failure() const override { return watcher_.failure(); }
    std::string broken_end(std::string_view message) const override;
    std::string_view response_id() const override { return watcher_.response_id(); }

private:
    Step next(std::string_view data) override;
    std::string_view missing_end(std::string_view rest) const override;
    bool model_ended() const override { return watcher_.ended(); }

    bedrock::Operation operation_;
    bedrock::SseWatcher watcher_;
    codec::SseReader reader_;
    codec::SseEvent event_;
};

}  // namespace weir::gateway
