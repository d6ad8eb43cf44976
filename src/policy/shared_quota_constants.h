// Constants of one instance's half of shared books.
#pragma once

#include <weir/shared_books.h>
#include <weir/time.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "policy/sliding_log.h"

namespace weir::policy::sharing {

inline constexpr Duration kDay = std::chrono::hours(24);
inline constexpr int kBuckets = 120;     // of a window, in the store
inline constexpr int kLogBuckets = 600;  // of a window, in a sliding log
// The store ends a lease two seconds after it heard of us; here it ends before that.
inline constexpr Duration kLease = std::chrono::milliseconds(1900);
inline constexpr Duration kYoungest =
    std::chrono::milliseconds(10);  // between two exchanges that nobody waits for
inline constexpr Duration kTell = std::chrono::milliseconds(100);  // what was sent is told by then
inline constexpr Duration kAsk =
    std::chrono::milliseconds(100);  // who waits asks again: settlements make room
/// Who is next, while calls under way elsewhere may give something back: else room stands empty.
inline constexpr Duration kNextAsks = std::chrono::milliseconds(25);
/// What gives back such a part of a limit is told at once. There are only so many of them in a
/// window.
inline constexpr std::int64_t kMuch = 1000;
// Whoever is not heard for longer than the store waits may be alone, and the store leaves it room.
inline constexpr Duration kBeat =
    std::chrono::milliseconds(100);  // while active, and for a while after that
inline constexpr Duration kActive = std::chrono::seconds(10);
inline constexpr Duration kIdleBeat = std::chrono::seconds(1);
inline constexpr Duration kIdle =
    std::chrono::seconds(1);  // then what was granted ahead is given back
inline constexpr Duration kForgotten = std::chrono::seconds(600);
inline constexpr Duration kProfile = std::chrono::milliseconds(250);
inline constexpr Duration kRetry = std::chrono::milliseconds(100);
/// So many instances are each paced by the times above. More share the store's time, each a little
/// slower, up to the most that is given: a beat's multiple must be well before the store takes a
/// silent instance to be dead, and a head asks again before its claim is forgotten (1 s). The heads
/// of so many that go first ask as if there were no others.
inline constexpr std::int64_t kCrowd = 100;
constexpr Duration paced(Duration alone, std::uint32_t instances, Duration most) {
    return std::min(alone * std::max<std::int64_t>(1, instances / kCrowd), std::max(alone, most));
}
inline constexpr Duration kLongestBeat = std::chrono::seconds(1);
inline constexpr Duration kLongestIdleBeat = std::chrono::seconds(2);
inline constexpr Duration kLongestAsk = std::chrono::milliseconds(500);
inline constexpr Duration kLongestProfile = std::chrono::milliseconds(2500);
/// Who has never heard the store asks so often before it takes the store to be gone: about a
/// second.
inline constexpr int kTries = 7;
inline constexpr double kAhead = 0.2;       // seconds of demand that are granted ahead
inline constexpr std::int64_t kLarge = 20;  // a quota of so many calls is large beside a call
inline constexpr std::size_t kMostHeads = 32;
inline constexpr std::size_t kMostCharges = 64;
inline constexpr std::size_t kMostCorrections = 2'000;
inline constexpr std::size_t kMostEntries = 8'000;
inline constexpr std::size_t kMostCounted = 2'000;  // clients, as in the store
inline const std::string kClassName = "\n";  // of no client: what a whole class has been refused
/// Books that are new grant after two seconds. So long after they were heard last they may be back
/// any moment: a failover or a restart takes less.
inline constexpr Duration kBack = std::chrono::seconds(2);
inline constexpr Duration kMayBeBack = std::chrono::seconds(10);
/// A replica that takes over may have missed what was written last.
inline constexpr Duration kReplicaLag = std::chrono::seconds(5);

/// From then on an instance has its part of what expires: after the store has begun to leave it
/// that.
constexpr Duration alone_after(Duration beat) {
    return beat * 7 / 2;
}

inline std::array<SlidingLog, kBooks> logs(Duration window, Duration slack) {
    return {SlidingLog(window, slack), SlidingLog(window, slack), SlidingLog(kDay, slack),
            SlidingLog(window, slack)};
}

inline bool any(const BookAmounts& amounts) {
    return std::ranges::any_of(amounts, [](std::int64_t a) { return a > 0; });
}

}  // namespace weir::policy::sharing
