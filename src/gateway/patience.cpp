#include "gateway/patience.h"

#include <algorithm>

namespace weir::gateway {
namespace {

using std::chrono::milliseconds;

constexpr Duration kUnread = std::chrono::seconds(1);
/// Silence shorter than this says nothing of a place, where the caller alone chose it.
constexpr Duration kTellingSilence = std::chrono::seconds(20);

std::string in_ms(Duration time) {
    return std::to_string(to_ms(time)) + " ms";
}

bool bounded_by_deadline(const AttemptTimes& times, Phase phase) {
    switch (phase) {
        case Phase::connecting:
        case Phase::sending:
        case Phase::waiting:
            return times.asked || times.stream;
        case Phase::opening:
            return true;
        case Phase::whole:
            return times.asked;
        case Phase::content:
            return false;
    }
    return false;
}

}  // namespace

Patience patience(const TimeoutsConfig& timeouts, const AttemptTimes& times, Phase phase,
                  Instant now) {
    Patience found;
    switch (phase) {
        case Phase::connecting:  // timeouts.connect is the pool's to keep
        case Phase::sending:
        case Phase::content:
            found = {timeouts.idle, Clock::idle};
            break;
        case Phase::waiting:
        case Phase::opening:
            found = times.stream
                        ? Patience{times.sent + timeouts.first_event - now, Clock::first_event}
                        : Patience{times.sent + timeouts.answer - now, Clock::answer};
            break;
        case Phase::whole:
            found = {timeouts.idle, Clock::idle};
            if (const Duration left = times.sent + timeouts.answer - now; left < found.left) {
                found = {left, Clock::answer};
            }
            break;
    }
    const auto bound = [&](Instant at, Clock clock) {
        if (at - now < found.left) {
            found = {at - now, clock};
        }
    };
    if (times.deadline != Instant::max()) {
        if (bounded_by_deadline(times, phase)) {
            bound(times.deadline, Clock::deadline);
        }
        const bool nothing_came =
            phase == Phase::connecting || phase == Phase::sending || phase == Phase::waiting;
        if (times.elsewhere && nothing_came) {
            bound(times.started + (times.deadline - times.started) / 3 * 2, Clock::elsewhere);
        }
    }
    found.left = std::max(found.left, Duration(milliseconds(1)));
    return found;
}

Duration hold_left(const TimeoutsConfig& timeouts, Instant started, Instant now) {
    return std::max(started + timeouts.hold - timeouts.hold / 10 - now, Duration(milliseconds(1)));
}

Failure failed(FailureClass cls, Stage stage, std::string_view message) {
    Failure failure;
    failure.cls = cls;
    failure.stage = stage;
    failure.message = "weir: ";
    failure.message += message;
    return failure;
}

Patience Clocks::left_for_piece(Instant now) const {
    Patience found{timeouts_.idle, Clock::idle};
    if (times_.asked && times_.deadline - now < found.left) {
        found = {std::max(times_.deadline - now, Duration(milliseconds(1))), Clock::deadline};
    }
    return found;
}

Failure Clocks::over(Clock clock, Stage stage, Instant now) {
    const auto cls = stage == Stage::not_sent ? FailureClass::network : FailureClass::timeout;
    Failure failure;
    switch (clock) {
        case Clock::deadline:
            failure = failed(cls, stage,
                             "no answer within the deadline of this call, " +
                                 in_ms(now - arrival_) + " after it came");
            failure.status = 504;
            past_deadline_ = true;
            break;
        case Clock::elsewhere:
            failure = failed(cls, stage,
                             "no answer in " + in_ms(now - times_.started) +
                                 ": what is left of the deadline is another target's");
            break;
        case Clock::first_event:
        case Clock::answer:
        case Clock::idle:
            failure = failed(cls, stage, "no answer in time");
            break;
    }
    failure.blameless = times_.asked && now - times_.started < kTellingSilence;
    return failure;
}

bool had_been_closed(const BrokenSend& send) {
    if (!send.reused || send.any_bytes) {
        return false;
    }
    return send.write_failed || (send.closed && send.since_written < kUnread);
}

}  // namespace weir::gateway
