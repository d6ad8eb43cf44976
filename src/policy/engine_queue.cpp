// From when a waiting call may use which target, and what follows when that changes.
#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

void Engine::Impl::enqueue(CallRecord* call, bool at_head, Instant now) {
    Lane* lane = waiting_.join(*call, at_head, now);
    agenda_.arm(call->timer, latest_start(call, now));
    if (lane->head == call) {
        refresh(lane, now);
        return;
    }
    const TargetState& first = *call->path->targets.front().state;
    if (lane->parked &&
        Accounts::own_limit(*call->client, held_cost(*call, first, 0), now) == LimitKind::none) {
        unpark(call->client, now);  // it may go beside the head that its client's limit holds back
    }
    for (Slot& slot : lane->slots) {
        // It may fit before the head does.
        if (slot.heap_pos != kNotInHeap && call->queued.expected < lane->head->queued.expected) {
            agenda_.dirty(slot.target);
        }
    }
}

void Engine::Impl::dequeue(CallRecord* call, Instant now) {
    agenda_.disarm(call->timer);
    if (Lane* lane = waiting_.leave(*call, now)) {
        refresh(lane, now);
    }
}

bool Engine::Impl::closed(TargetState* target, Instant now) const {
    if (target->held.closed(now) || target->day.until > now ||
        (target->day.probing && target->day.probe_out)) {
        return true;
    }
    return !target->breaker.allows(now);
}

/// Calls of this client find the target unfit, or an operator keeps calls away from it, and the
/// path has another one.
bool Engine::Impl::passed_over(const Path& path, const TargetState* target,
                               const ClientState* client, Instant now) {
    return avoided_until(target, client, now) > now &&
           std::ranges::any_of(path.targets, [&](const PathTarget& other) {
               return avoided_until(other.state, client, now) <= now;
           });
}

/// Instant::min(): it is not avoided.
Instant Engine::Impl::avoided_until(const TargetState* target, const ClientState* client,
                                    Instant now) {
    return std::max(
        target->unfit.closed_for(client->key, now) ? target->unfit.until() : Instant::min(),
        target->held.avoided(now) ? target->held.until : Instant::min());
}

Instant Engine::Impl::eligible_at(const Lane* lane, std::size_t index, Instant now) const {
    const CallRecord* call = lane->head;
    if (call != nullptr && call->history) {
        const History::Place* place = call->history->find(lane->slots[index].target);
        if (place != nullptr && (place->barred || place->not_before > now)) {
            return place->barred ? Instant::max() : place->not_before;
        }
    }
    const Path& path = *lane->path;
    const TargetState* target = lane->slots[index].target;
    if (passed_over(path, target, lane->client, now)) {
        return avoided_until(target, lane->client, now);
    }
    if (call != nullptr && call->history && lane->solo) {
        return now;
    }
    const std::size_t group = path.targets[index].group;
    if (group == 0) {
        return now;
    }
    const bool unlike = path.targets[index].candidate.unlike_first;
    const Instant arrival = call != nullptr ? call->arrival : now;
    const Instant spill = arrival + (unlike ? path.degrade_after : path.spill_after);
    if (spill <= now) {
        return now;
    }
    for (std::size_t j = 0; j < group; ++j) {
        TargetState* earlier = path.targets[j].state;
        if (closed(earlier, now) || passed_over(path, earlier, lane->client, now)) {
            continue;
        }
        if (call == nullptr) {
            // Asked on arrival, before it is queued: what can go first is no spill.
            return spill;
        }
        if (turn(*call, lane->slots[j], Waiting::before_head(lane->slots[j]), now) <= spill) {
            return spill;
        }
    }
    return now;
}

void Engine::Impl::refresh(Lane* lane, Instant now) {
    waiting_.place(*lane, now, [&](std::size_t i) { return eligible_at(lane, i, now); });
}

/// A target has closed or paused: those that counted on it may go elsewhere at once.
void Engine::Impl::refresh_waiting_for(TargetState* target, Instant now) {
    std::vector<Lane*> lanes;
    for (ClassQueue& q : target->queue.classes) {
        for (const Slot* slot : q.heads.items()) {
            if (slot->lane->slots.size() > 1) {
                lanes.push_back(slot->lane);
            }
        }
    }
    for (Lane* lane : lanes) {
        refresh(lane, now);
    }
}

/// Its client's own limit holds the lane's head back.
void Engine::Impl::park(Lane* lane, Instant until, Instant now) {
    Waiting::park(*lane);
    refresh(lane, now);
    agenda_.arm_by(lane->client->timer, until);
}

void Engine::Impl::unpark(ClientState* client, Instant now) {
    for (Lane* lane : waiting_.unpark(*client)) {
        refresh(lane, now);
    }
}

}  // namespace weir
