// Which waiting calls are refused because they would be too late.
#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
// Values that were tried: docs/tuning.md.
constexpr int kReviews = 16;            // of a call, at most, in the time it may wait
constexpr int kReviewedASecond = 1000;  // calls of one lane
// A waiting call is refused only if its turn is later than its last moment by this.
constexpr Duration kGrace = std::chrono::milliseconds(500);
}  // namespace

/// When the turn of a call comes whose own lane holds the part `before` of its flow's backlog in
/// front of it, at the target that takes it first; Instant::max(): none is known to.
Instant Engine::Impl::turn_in_lane(const CallRecord* call, double before, Instant now) const {
    Instant best = Instant::max();
    for (const Slot& slot : call->queued.lane->slots) {
        TargetState* t = slot.target;
        if (closed(t, now) || passed_over(*call->path, t, call->client, now)) {
            continue;
        }
        if (t->estimator->answers() < kKnownAnswers) {
            return now;  // what calls under way will give back is not known yet
        }
        best = std::min(best, turn(*call, slot, Waiting::before_waiting(slot, before), now));
    }
    return best;
}

/// Refuses those of a lane whose turns are expected too late by now.
void Engine::Impl::review(Lane* lane, Instant now, std::vector<Wake>& woken, std::size_t limit) {
    ClientState* client = lane->client;
    ++client->calls;  // client and lane outlive the lane's last call until the end of this
    refuse_late(lane, now, woken, limit);
    refresh(lane, now);
    --client->calls;
    release_client(client);
}

void Engine::Impl::refuse_late(Lane* lane, Instant now, std::vector<Wake>& woken,
                               std::size_t limit) {
    if (lane->head == nullptr) {
        lane->review_at = Instant::max();
    }
    if (lane->review_at > now) {
        return;
    }
    std::vector<CallRecord*> calls = lane->calls.items();
    Instant earliest = Instant::max();
    double total = 0;
    for (const CallRecord* call : calls) {
        earliest = std::min(earliest, call->timer.at);
        total += call->queued.expected;
    }
    // Seldom for those with a long time to go, and for long queues.
    lane->review_at =
        now + std::max<Duration>({Waiting::kReviewEvery, (earliest - now) / kReviews,
                                  Waiting::kReviewEvery / kReviewedASecond * calls.size()});
    if (lane->parked || total <= 0) {
        return;
    }
    if (!waiting_.newest_first() && turn_in_lane(lane->head, 1, now) <= earliest + kGrace) {
        return;
    }
    std::ranges::sort(calls,
                      [](const CallRecord* a, const CallRecord* b) { return CallLess()(*a, *b); });
    std::vector<std::pair<CallRecord*, Instant>> late;
    double before = 0;
    for (CallRecord* call : calls) {
        const Instant turn = turn_in_lane(call, before / total, now);
        const bool due = call->timer.at <= now;  // its timer speaks for itself
        const bool too_late =
            turn > call->timer.at + kGrace || waiting_.overtaken(*call, *lane, now);
        if (!due && turn != Instant::max() && too_late) {
            late.emplace_back(call, turn);
        } else {
            before += call->queued.expected;
        }
    }
    for (const auto& [call, turn] : late) {
        if (woken.size() >= limit) {
            lane->review_at = now;
            return;
        }
        waiting_.note_turned_away(*call, *lane, now);
        Refusal r = Accounts::refusal(RefusalReason::quota, *call, 0);
        r.retry_after = turn - now;
        const CallId id = call->id;
        dequeue(call, now);
        woken.push_back(Wake{id, finish(call, std::move(r), now)});
    }
}

}  // namespace weir
