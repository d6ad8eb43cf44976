#include "gateway/attempt.h"

#include <algorithm>

namespace weir::gateway {
namespace {

using std::chrono::milliseconds;

constexpr Duration kUnread = std::chrono::seconds(1);

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

bool had_been_closed(const BrokenSend& send) {
    if (!send.reused || send.any_bytes) {
        return false;
    }
    return send.write_failed || (send.closed && send.since_written < kUnread);
}

}  // namespace weir::gateway
