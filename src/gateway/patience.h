// Which clock runs in which phase of an attempt, and what may be sent again unseen. Without I/O;
// docs/configuration.md, "Which clock runs when", is the table of it.
#pragma once

#include <weir/config.h>
#include <weir/time.h>
#include <weir/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::gateway {

/// Where an attempt stands.
enum class Phase : std::uint8_t {
    connecting,  // name, TCP, proxy, TLS
    sending,     // the request is being written
    waiting,     // it is written, no head has come
    opening,     // a stream's head has come, content has not
    whole,       // the head of an answer that is no stream has come, its end has not
    content,     // content is on its way to the client
};

/// What ends it.
enum class Clock : std::uint8_t {
    first_event,  // timeouts.first_event
    answer,       // timeouts.answer
    idle,         // timeouts.idle
    elsewhere,    // the share of the deadline that leaves another place its turn
    deadline,     // queue.deadline, or x-weir-deadline-ms
};

struct AttemptTimes {
    bool stream = false;
    bool asked = false;      // the deadline is the caller's own: x-weir-deadline-ms
    bool elsewhere = false;  // without an answer in time the call may go to another place
    Instant deadline = Instant::max();
    Instant started{};  // the attempt
    Instant sent{};     // its last byte was written
};

struct Patience {
    Duration left{};  // at least a millisecond
    Clock clock = Clock::idle;
};

/// How long the attempt may go on without another byte from upstream. Time in which the client
/// takes nothing does not count for `content`: it is asked for anew before each read.
Patience patience(const TimeoutsConfig& timeouts, const AttemptTimes& times, Phase phase,
                  Instant now);

/// What is left until a stream's head and what may go out with it are due at the client. It is a
/// tenth less than timeouts.hold, so that they are there by then.
Duration hold_left(const TimeoutsConfig& timeouts, Instant started, Instant now);

/// A failure that weir itself has found.
Failure failed(FailureClass cls, Stage stage, std::string_view message);

/// The clocks of one attempt at a call that came at `arrival`.
class Clocks {
public:
    Clocks(const TimeoutsConfig& timeouts, const AttemptTimes& times, Instant arrival)
        : timeouts_(timeouts), times_(times), arrival_(arrival) {}

    void sent(Instant now) { times_.sent = now; }
    const AttemptTimes& times() const { return times_; }
    Patience left(Phase phase, Instant now) const {
        return patience(timeouts_, times_, phase, now);
    }
    Duration hold_left(Instant now) const {
        return gateway::hold_left(timeouts_, times_.started, now);
    }
    /// For the next piece of an answer that is being handed on. x-weir-deadline-ms bounds a whole
    /// answer to its end.
    Patience left_for_piece(Instant now) const;

    /// That clock has ended the attempt.
    Failure over(Clock clock, Stage stage, Instant now);
    /// The call's deadline has.
    bool past_deadline() const { return past_deadline_; }

private:
    const TimeoutsConfig& timeouts_;
    AttemptTimes times_;
    Instant arrival_;
    bool past_deadline_ = false;
};

/// A connection that ended before a byte of the answer.
struct BrokenSend {
    bool reused = false;        // it had been idle: kept from an earlier exchange
    bool write_failed = false;  // the request was not taken
    bool closed = false;        // closed or reset, as opposed to silent
    bool any_bytes = false;     // something of an answer came
    Duration since_written{};
};

/// The peer had closed the connection while it was idle, and has not read the request: it may go
/// again, on a fresh one. Later than a second after the write it may have been read, and paid for.
bool had_been_closed(const BrokenSend& send);

}  // namespace weir::gateway
