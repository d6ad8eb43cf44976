// What can be said the moment a call arrives: what it costs, whether it may go, whether it ever
// will.
#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
constexpr int kMostTurnedOut = 64;  // for one large call
}  // namespace

Instant Engine::Impl::latest_start(const CallRecord* call, Instant now) const {
    const Duration slow =
        call->path->targets.front().state->estimator->slow_service(call->asked.stream);
    // Slow answers must not take more than half of the patience away from waiting.
    const Instant by_deadline =
        std::max(call->deadline - slow, call->arrival + (call->deadline - call->arrival) / 2);
    const Instant by_wait = now + (config_.queue.max_wait - call->waited);
    return std::max(now, std::min(by_deadline, by_wait));
}

/// Refusals that need no estimate.
std::optional<Refusal> Engine::Impl::turned_away(CallRecord* call, Instant now) {
    for (std::uint64_t* counter : call->path->skipped) {
        ++*counter;
    }
    const auto& targets = call->path->targets;
    if (targets.empty()) {
        return Accounts::refusal(RefusalReason::no_target, *call, 0);
    }
    if (auto no = ordered_off(call, now)) {
        return no;
    }
    if (now >= call->deadline) {
        return Accounts::refusal(RefusalReason::deadline, *call, 0);
    }
    if (call->attempts >= std::max(retry_.max_attempts, 1U)) {
        return Accounts::refusal(RefusalReason::attempts_exhausted, *call, 0);
    }
    for (const PathTarget& place : targets) {
        if (passed_over(*call->path, place.state, call->client, now)) {
            const Held& held = place.state->held;
            accounts_.count_skipped(*place.state, held.closed(now)    ? "closed"
                                                  : held.avoided(now) ? "drained"
                                                                      : "misconfigured");
        }
    }
    if (auto no = Accounts::never_fits(*call)) {
        return no;
    }
    rescue(call->path, now);
    return std::nullopt;
}

/// May the call go to this target this instant? `overtaking`: a repeat, which waits behind nobody.
/// `spilling`: whatever earlier targets could do.
bool Engine::Impl::try_grant(CallRecord* call, std::size_t index, Instant now, bool overtaking,
                             bool spilling) {
    TargetState* t = call->path->targets[index].state;
    if (!overtaking && Waiting::others_first(*t, static_cast<std::size_t>(call->asked.priority))) {
        return false;
    }
    // A later target only when no earlier one is expected to take the call in time.
    if (!overtaking && !spilling && call->path->targets[index].group != 0 &&
        eligible_at(waiting_.lane_for(*call, now), index, now) > now) {
        return false;
    }
    t->breaker.ask_for(call->client->key, now);
    if (may_send_at(t, now) > now || !probes_at_once(call, t, now) ||
        passed_over(*call->path, t, call->client, now)) {
        return false;
    }
    return Accounts::has_room(*call, index, now);
}

/// When the call's turn at a target is expected, in settled cost, behind what stands before it.
Instant Engine::Impl::turn(const CallRecord& call, const Slot& slot, Waiting::Ahead ahead,
                           Instant now) {
    const auto own = static_cast<double>(held_cost(call, *slot.target, slot.index).tokens);
    return Accounts::free_at(*slot.target, ahead.tokens, ahead.calls, own, now);
}

/// Refusals by estimate: its turn would come too late. Said now, while the client can still do
/// something else with the time.
std::optional<Refusal> Engine::Impl::hopeless(CallRecord* call, Instant now) {
    const Instant latest = latest_start(call, now);
    const auto& targets = call->path->targets;
    Lane* lane = waiting_.lane_for(*call, now);
    Instant best = Instant::max();
    std::size_t best_index = 0;
    Instant reopens = Instant::max();
    Instant day = Instant::max();
    bool all_open = true;
    bool all_days_gone = true;
    bool backlog = false;
    bool in_time = false;
    for (std::size_t i = 0; i < targets.size(); ++i) {
        TargetState* t = targets[i].state;
        const Instant day_free = std::max(
            t->day.until,
            t->pool->meter(LimitKind::daily_tokens).fits_at(held_cost(*call, *t, i).tokens, now));
        day = std::min(day, day_free);
        all_days_gone = all_days_gone && day_free > latest;
        const bool held = t->held.closed(now);
        const bool open = held || t->breaker.open(now);
        if (open) {
            reopens = std::min(reopens, held ? t->held.until : t->breaker.opens_until());
        } else {
            all_open = false;
        }
        backlog = backlog || Waiting::backlogged(*lane->slots[i].flow);
        if (passed_over(*call->path, t, call->client, now) || day_free > latest || open) {
            continue;
        }
        const Instant at =
            turn(*call, lane->slots[i], Waiting::before_newcomer(lane->slots[i]), now);
        in_time = in_time || at <= waiting_.let_in_until(*lane->slots[i].flow, latest, now);
        if (at < best) {
            best = at;
            best_index = i;
        }
    }
    const auto refuse = [&](RefusalReason reason, Instant until, std::size_t index) {
        Refusal r = Accounts::refusal(reason, *call, index);
        r.retry_after =
            until == Instant::max() ? Duration::zero() : std::max(until - now, Duration(1));
        return r;
    };
    if (all_days_gone) {
        return refuse(RefusalReason::daily_quota, day, 0);
    }
    if (all_open && reopens > latest) {
        return refuse(
            all_closed(*call->path, now) ? RefusalReason::closed : RefusalReason::unavailable,
            reopens, 0);
    }
    // A call that its client's own limit holds back past its last moment is told so at once.
    const Instant own = Accounts::own_turn(*call, now);
    const bool own_late = own > latest;
    const bool full = backlog && !in_time && best != Instant::max();
    if (full && (own_late || !make_way(call, lane, now))) {
        waiting_.note_turned_away(*call, *lane, now);
        return refuse(RefusalReason::quota, best, best_index);
    }
    if (own_late) {
        Refusal r = Accounts::refusal(RefusalReason::client_limit, *call, 0);
        r.retry_after = own - now;
        return r;
    }
    // Last, for it may turn another call out.
    if (!make_room(call, now)) {
        return refuse(RefusalReason::queue_full, best, best_index);
    }
    return std::nullopt;
}

/// The queue is as long as it may get. Under an order that lets a new call overtake, the last call
/// of the lane is the one that will not get its turn. It is refused now instead of at its deadline,
/// and the new call takes its place, if that is no larger. False: the new call is refused.
bool Engine::Impl::make_way(CallRecord* call, Lane* lane, Instant now) {
    CallRecord* last = waiting_.last_behind(*call, *lane, now);
    if (last == nullptr) {
        return false;
    }
    waiting_.note_turned_away(*last, *lane, now);
    turn_out(last, RefusalReason::quota, now);
    return true;
}

/// Room in the queue for one more call, if need be by turning out calls of clients that hold more
/// than their share of it; false: there is none for this client.
bool Engine::Impl::make_room(const CallRecord* call, Instant now) {
    if (waiting_.never_fits(*call)) {
        return false;
    }
    std::vector<ClientState*> clients;
    for (int turned_out = 0;; ++turned_out) {
        const Waiting::Full full = waiting_.full_for(*call);
        if (full == Waiting::Full::no) {
            return true;
        }
        if (clients.empty()) {
            clients = accounts_.all_clients();
        }
        CallRecord* out = turned_out < kMostTurnedOut
                              ? Waiting::newest_of_largest(*call, full, clients)
                              : nullptr;
        if (out == nullptr) {
            return false;
        }
        turn_out(out, RefusalReason::queue_full, now);
    }
}

/// A waiting call loses its place to another one, and is told so by advance().
void Engine::Impl::turn_out(CallRecord* call, RefusalReason reason, Instant now) {
    Refusal r = Accounts::refusal(reason, *call, 0);
    const Instant turn = turn_in_lane(call, 1, now);
    r.retry_after = turn == Instant::max() ? Duration::zero() : turn - now;
    dequeue(call, now);
    doomed_.emplace_back(call->id, std::move(r));
}

}  // namespace weir
