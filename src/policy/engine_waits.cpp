// How long a queue may get, and who is told while waiting that its turn will come too late.
#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
// The part of the time left that an estimated turn may take: see docs/tuning.md.
constexpr double kSure = 0.9;
// Of a window's quota: see ServedPart::part().
constexpr double kPartWeight = 0.2;
constexpr double kPartMemory = 0.5;
constexpr std::uint64_t kUnknownLimit = 1'000'000;  // as share_of()
constexpr std::uint64_t kKnownAnswers = 5;
constexpr int kReviews = 16;            // of a call, at most, in the time it may wait
constexpr int kReviewedASecond = 1000;  // calls of one lane
// A waiting call is refused only if its turn is later than its last moment by this.
constexpr Duration kGrace = std::chrono::milliseconds(500);

const Slot* first_head(const Flow& flow) {
    const auto at = std::ranges::find_if(
        flow.slots, [](const Slot* slot) { return slot->heap_pos != kNotInHeap; });
    return at == flow.slots.end() ? nullptr : *at;
}
}  // namespace

/// What a call is expected to settle at; what it holds, while nothing is known of the outputs.
double Engine::Impl::expected_cost(const CallRecord* call, const TargetState* target,
                                   std::size_t index) const {
    const Estimator& e = *target->estimator;
    const auto held = static_cast<double>(cost(call, target, index).tokens);
    if (e.answers() < kKnownAnswers) {
        return held;
    }
    return std::min(held, e.expected_cost(call->input, max_output(call, target, index),
                                          target->pool->apart() ? 0 : target->burndown));
}

/// The target's queue of that class is in a standing overload, and this client has a part in it:
/// its own queue has not been clear for a while. A light client's burst may fill up to max_wait
/// whatever a heavy one does.
bool Engine::Impl::standing(Flow* flow, Instant now) const {
    const Duration window = config_.quota_window;
    ControlledDelay& queue = flow->target->classes[flow->cls].delay;
    return queue.standing(2 * window, config_.queue.max_wait, now) &&
           flow->delay.standing(window, Duration::zero(), now);
}

/// The latest turn with which a call may join this queue.
Instant Engine::Impl::let_in_until(Flow* flow, Instant latest, Instant now) const {
    // A turn is an estimate: who is let in and refused late could have gone elsewhere.
    const Instant sure = now + from_seconds(to_seconds(latest - now) * kSure);
    return standing(flow, now) ? std::min(sure, now + config_.queue.target_wait) : sure;
}

/// A call was refused because its turn would come too late: it counts in the depth that the queue
/// would have had.
void Engine::Impl::note_turned_away(CallRecord* call, Lane* lane, Instant now) {
    const double part = 1.0 / static_cast<double>(lane->slots.size());
    for (Slot& slot : lane->slots) {
        TargetState* t = slot.target;
        const auto limit = t->pool->meter(LimitKind::tokens).limit();
        if (!limit) {
            continue;
        }
        const Duration window = t->pool->window();
        const double a_second = static_cast<double>(std::max<std::uint64_t>(*limit, 1)) *
                                t->estimator->usable_share(window) / to_seconds(window);
        // A call that several targets could take is a part of each one's load.
        const double seconds = expected_cost(call, t, slot.index) * part / a_second;
        ClassQueue& q = t->classes[lane->cls];
        const double own = lane->client->share / std::max(q.active_shares, lane->client->share);
        const Duration most = config_.queue.max_wait;
        const double longest = to_seconds(most);
        q.delay.refused(from_seconds(std::min(seconds, longest)), most, now);
        slot.flow->delay.refused(from_seconds(std::min(seconds / own, longest)), most, now);
    }
}

/// What other clients of the class are served, in tokens and calls, before a flow's turn comes for
/// what stands behind `own` tokens of its own: until their counters reach its counter then, or what
/// the flow has been made to wait for of late, whichever is more.
std::pair<double, double> Engine::Impl::before_flow(Flow* flow, double own) const {
    const TargetState* t = flow->target;
    const ClassQueue& q = t->classes[flow->cls];
    const double share = flow->client->share;
    const auto limit =
        static_cast<double>(t->pool->meter(LimitKind::tokens).limit().value_or(kUnknownLimit));
    double counter = flow->counter;
    if (flow->waiting == 0 && !q.heads.empty()) {
        counter = std::max(counter, q.heads.top()->flow->counter);
    }
    counter += own / limit / share;
    double tokens = 0;
    double calls = 0;
    for (const Slot* slot : q.heads.items()) {
        const Flow* other = slot->flow;
        const double lead = counter - other->counter;
        // A client with calls of several routes has several heads and one backlog.
        if (other != flow && lead > 0 && slot == first_head(*other)) {
            const double due = std::min(other->backlog, lead * other->client->share * limit);
            tokens += due;
            calls += other->backlog_calls * due / std::max(other->backlog, 1.0);
        }
    }
    if (flow->waiting == 0) {
        return {tokens, calls};
    }
    const double promised = share / std::max(q.active_shares, share);
    const double part =
        flow->part.part(t->granted, promised, kPartWeight * limit, kPartMemory * limit);
    const double measured = own / part - own;
    if (measured > tokens) {
        calls = std::max(calls, flow->backlog_calls * (1 / part - 1) *
                                    std::min(1.0, own / std::max(flow->backlog, 1.0)));
        tokens = measured;
    }
    return {tokens, calls};
}

/// When the turn of a call comes whose own lane holds the part `before` of its flow's backlog in
/// front of it, at the target that takes it first; Instant::max(): none is known to.
Instant Engine::Impl::turn_in_lane(const CallRecord* call, double before, Instant now) const {
    Instant best = Instant::max();
    for (const Slot& slot : call->lane->slots) {
        TargetState* t = slot.target;
        if (closed(t, now) || passed_over(*call->path, t, call->client, now)) {
            continue;
        }
        if (t->estimator->answers() < kKnownAnswers) {
            return now;  // what calls under way will give back is not known yet
        }
        double tokens = 0;
        double calls = 0;
        for (std::size_t c = 0; c < slot.flow->cls; ++c) {
            tokens += t->classes[c].backlog;
            calls += t->classes[c].backlog_calls;
        }
        const auto [others, other_calls] = before_flow(slot.flow, slot.flow->backlog * before);
        tokens += others + slot.flow->backlog * before;
        calls += other_calls + slot.flow->backlog_calls * before;
        best =
            std::min(best, turn_behind(slot, tokens, calls,
                                       static_cast<double>(cost(call, t, slot.index).tokens), now));
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
        total += call->expected;
    }
    // Seldom for those with a long time to go, and for long queues.
    lane->review_at = now + std::max<Duration>({kReviewEvery, (earliest - now) / kReviews,
                                                kReviewEvery / kReviewedASecond * calls.size()});
    if (lane->parked || total <= 0 || turn_in_lane(lane->head, 1, now) <= earliest + kGrace) {
        return;
    }
    std::ranges::sort(calls,
                      [](const CallRecord* a, const CallRecord* b) { return CallLess()(*a, *b); });
    std::vector<std::pair<CallRecord*, Instant>> late;
    double before = 0;
    for (CallRecord* call : calls) {
        const Instant turn = turn_in_lane(call, before / total, now);
        const bool due = call->timer.at <= now;  // its timer speaks for itself
        if (!due && turn != Instant::max() && turn > call->timer.at + kGrace) {
            late.emplace_back(call, turn);
        } else {
            before += call->expected;
        }
    }
    for (const auto& [call, turn] : late) {
        if (woken.size() >= limit) {
            lane->review_at = now;
            return;
        }
        note_turned_away(call, lane, now);
        Refusal r = refusal(RefusalReason::quota, call, 0);
        r.retry_after = turn - now;
        const CallId id = call->id;
        dequeue(call, now);
        woken.push_back(Wake{id, finish(call, std::move(r), now)});
    }
}

}  // namespace weir
