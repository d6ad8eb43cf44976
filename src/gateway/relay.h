// What comes back from the service on its way to the client: whole, or a stream. Calls no engine.
//
//     judge()  until the answer is known good; what goes out before that is no content
//     pass()   hands it on until the service has said all
//     end()    gives the client the end of it, in whatever way it ended
//
// Between them the caller tells the engine: content has begun, the call is complete or broken.
#pragma once

#include "bedrock/answer.h"
#include "gateway/answer.h"
#include "gateway/attempt.h"
#include "gateway/stop.h"
#include "gateway/stream_relay.h"
#include "net/buffered_bytes.h"
#include "net/server.h"

#include <weir/config.h>
#include <weir/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::gateway {

/// The two ends of an answer.
struct Ends {
    Attempt& attempt;
    net::Downstream& client;
    const Stop& stop;
    const LimitsConfig& limits;
    std::string_view fields;  // of the client's answer, all of them
};

class Relay {
public:
    enum class Turn : std::uint8_t {
        flowing,   // known good: pass() hands it on
        complete,  // the service has said all, and well: settle, then end()
        failed,    // failure() says how; nothing is with the client that another could not follow
        broken,    // failure() says how; content is with the client: report, then end()
        gone,      // the client
        over,      // weir ends it: error() is the answer, or the end of the client's stream
        cut,       // weir has ended it and the client's connection: error() says why
    };

    virtual ~Relay() = default;
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    virtual net::Task<Turn> judge() = 0;
    virtual net::Task<Turn> pass() = 0;
    virtual net::Task<net::NetResult<void>> end() = 0;
    virtual Usage usage() = 0;  // as far as it has been seen; of a whole answer at its end

    const Failure& failure() const { return failure_; }
    const ErrorAnswer& error() const { return error_; }
    /// Why the client did not take what was sent; nullopt: it did.
    const std::optional<net::NetFailure>& not_taken() const { return not_taken_; }

protected:
    Relay(const Ends& ends, std::atomic<std::uint64_t>& buffered) : ends_(ends), held_(buffered) {}

    Turn fail(Failure failure);
    Turn break_off(Failure failure);
    Turn lose(const net::NetFailure& failure);
    Turn end_it(ErrorAnswer error);
    /// What it comes to when `stop` has been raised and nothing of the answer is with the client.
    Turn stopped();
    bool answered() const { return ends_.client.answered(); }

    Ends ends_;
    net::BufferedBytes held_;  // what the answer holds of limits.max_buffered

private:
    Failure failure_;
    ErrorAnswer error_;
    std::optional<net::NetFailure> not_taken_;
};

/// An answer that is no stream: read whole, so that a failure in it is still unseen below. One that
/// is too large to hold is handed on as it comes.
class WholeAnswer final : public Relay {
public:
    /// `holder`: whose share of limits.max_buffered it takes.
    WholeAnswer(const Ends& ends, std::atomic<std::uint64_t>& buffered,
                net::BufferShares::Holder holder, bedrock::AnswerReader& reader,
                bedrock::Operation operation, bool says_text);

    net::Task<Turn> judge() override;
    net::Task<Turn> pass() override;
    net::Task<net::NetResult<void>> end() override;
    Usage usage() override;

    /// All of it after judge() said `complete`; the beginning after `flowing`, until pass().
    std::string& body() { return body_; }
    /// What is counted for body(), where that outlives this.
    net::BufferedBytes take_count() { return std::move(held_); }

private:
    Turn broke_off(net::NetError error, const Patience& left);

    bedrock::AnswerReader& reader_;
    bedrock::Operation operation_;
    bool says_text_;
    bool large_ = false;
    bool complete_ = false;
    bool broken_ = false;
    std::string body_;
    std::optional<Usage> usage_;
};

/// A stream, through `events`.
class StreamAnswer final : public Relay {
public:
    /// Told of the id of a Responses stream as soon as it is known: its client may ask for it, or
    /// cancel it, at once.
    using Named = void (*)(void* context, std::string_view response_id);

    /// `opened`: the message that opens a stream is with the client, from this attempt or an
    /// earlier one.
    StreamAnswer(const Ends& ends, std::atomic<std::uint64_t>& buffered, StreamRelay& events,
                 bool& opened, Named named, void* context);

    net::Task<Turn> judge() override;
    net::Task<Turn> pass() override;
    net::Task<net::NetResult<void>> end() override;
    Usage usage() override;

private:
    void take(std::string_view piece);
    net::Task<Turn> forward();
    net::Task<net::NetResult<void>> show_life();
    Turn finish();

    StreamRelay& events_;
    bool& opened_;
    Named named_;
    void* context_;
    StreamRelay::Out out_;  // let through, and not yet with the client
    std::string_view why_;  // the stream broke off; empty: the service's own exception said so
    bool begun_ = false;    // pass() has been called: content goes to the client
    bool last_ = false;     // the upstream's body has ended
    bool broken_ = false;
    bool named_already_ = false;
};

/// An error answer, read whole and classed.
struct ErrorRead {
    bool stopped = false;  // the client left, or the drain's time is over
    Failure failure;
    std::optional<KeptAnswer> kept;  // as it came; nullopt: no client could read it
};
/// `unix_seconds`: wall time. `fields`: those that go on to the client.
net::Task<ErrorRead> read_error(Attempt& attempt, const Stop& stop, std::uint64_t max_buffered,
                                std::atomic<std::uint64_t>& buffered, bedrock::AnswerReader& reader,
                                std::int64_t unix_seconds, std::string fields);

}  // namespace weir::gateway
