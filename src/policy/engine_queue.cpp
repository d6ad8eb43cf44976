// Lanes, flows and who may use which target when.
#include <algorithm>
#include <limits>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
// adaptive_lifo: the part of a call's patience that its lane has stood. 0.1 to 0.5, conversation
// trace at 1.0 and 1.5, seeds 21-24: 88.0 and 60.3 % of tokens, all of them.
constexpr double kStanding = 0.25;
// small_first: a call of so many means counts as if it had come at the end of its patience. 3, 8,
// 16, likewise: by calls 94.3 and 72.0, 94.3 and 71.6, 94.1 and 71.1; by tokens 88.3 and 60.1, 88.8
// and 60.1, 88.9 and 60.2.
constexpr double kLarge = 8;
}  // namespace

std::unique_ptr<Lane> Engine::Impl::new_lane(Path* path, ClientState* client, std::size_t cls,
                                             bool solo) {
    auto lane = std::make_unique<Lane>();
    lane->path = path;
    lane->client = client;
    lane->cls = cls;
    lane->solo = solo;
    lane->sequence = ++sequence_;
    lane->slots.resize(path->targets.size());
    for (std::size_t i = 0; i < lane->slots.size(); ++i) {
        Slot& slot = lane->slots[i];
        slot.lane = lane.get();
        slot.target = path->targets[i].state;
        slot.index = static_cast<std::uint32_t>(i);
        slot.fallback = path->targets[i].group > 0;
        slot.flow = flow_for(slot.target, client, cls);
        ++slot.flow->refs;
        slot.flow->slots.push_back(&slot);
    }
    return lane;
}

Lane* Engine::Impl::lane_for(CallRecord* call) {
    const auto key = std::pair(call->client, static_cast<std::size_t>(call->priority));
    auto& lane = call->path->lanes[key];
    if (!lane) {
        lane = new_lane(call->path, key.first, key.second, false);
        call->client->lanes.push_back(lane.get());
    }
    return lane.get();
}

/// Takes an empty lane out of every list; its owner destroys it.
void Engine::Impl::drop_lane(Lane* lane) {
    disarm(lane->timer);
    for (Slot& slot : lane->slots) {
        if (slot.heap_pos != kNotInHeap) {
            slot.target->classes[lane->cls].heads.erase(&slot);
        }
        std::erase(slot.flow->slots, &slot);
        release_flow(slot.flow);
    }
    std::erase(lane->client->parked, lane);
    if (!lane->solo) {
        std::erase(lane->client->lanes, lane);
    }
}

Flow* Engine::Impl::flow_for(TargetState* target, ClientState* client, std::size_t cls) {
    auto& flow = target->flows[{client, cls}];
    if (!flow) {
        flow = std::make_unique<Flow>(now_);
        flow->target = target;
        flow->client = client;
        flow->cls = cls;
        flow->counter = target->classes[cls].floor;
    }
    return flow.get();
}

void Engine::Impl::release_flow(Flow* flow) {
    if (--flow->refs == 0) {
        flow->target->flows.erase({flow->client, flow->cls});
    }
}

/// The part of a window's quota that this is, by the limit it takes most of.
double Engine::Impl::share_of(const QuotaPool& pool, Amount amount) {
    const auto part = [](std::uint64_t of, std::optional<std::uint64_t> limit) {
        return static_cast<double>(of) / static_cast<double>(limit.value_or(1'000'000));
    };
    double share = part(amount.tokens, pool.meter(LimitKind::tokens).limit());
    if (const auto requests = pool.meter(LimitKind::requests).limit()) {
        share = std::max(share, 1.0 / static_cast<double>(*requests));
    }
    if (const Meter* output = pool.output(); output != nullptr && output->limit()) {
        share = std::max(share, part(amount.output, output->limit()));
    }
    return share;
}

void Engine::Impl::charge(Flow* flow, double amount) {
    flow->counter += amount / flow->client->share;
    for (Slot* slot : flow->slots) {
        if (slot->heap_pos != kNotInHeap) {
            flow->target->classes[flow->cls].heads.update(slot);
        }
    }
}

/// A call's place among its lane's, in seconds. First come, first served, by the time the client
/// asked first: an SDK's retry takes its old place, and so does what the service has refused.
double Engine::Impl::rank(const CallRecord* call, bool at_head, Instant now) const {
    const double arrival = to_seconds(call->arrival.time_since_epoch());
    if (at_head) {
        return -std::numeric_limits<double>::max();
    }
    const double patience = to_seconds(call->deadline - call->arrival);
    switch (order_) {
        case Order::fifo:
            break;
        case Order::adaptive_lifo:
            // A lane that has stood for a part of a call's patience will not catch up by itself:
            // whoever came last can still be served in time.
            if (to_seconds(now - call->lane->busy_since) > patience * kStanding) {
                return -arrival;
            }
            break;
        case Order::small_first: {
            // As if a large call had come later, by a part of its patience at most, so that it is
            // passed over for a while and not for ever.
            const Estimator& e = *call->path->targets.front().state->estimator;
            const double mean = std::max(e.mean_settled(), 1.0);
            return arrival + patience * std::min(1.0, call->expected / (kLarge * mean));
        }
    }
    return arrival;
}

void Engine::Impl::enqueue(CallRecord* call, bool at_head, Instant now) {
    Lane* lane = nullptr;
    if (call->ordeal && !call->ordeal->places.empty()) {
        call->own_lane =
            new_lane(call->path, call->client, static_cast<std::size_t>(call->priority), true);
        lane = call->own_lane.get();
    } else {
        lane = lane_for(call);
    }
    call->lane = lane;
    call->state = CallState::waiting;
    call->wait_since = now;
    arm(call->timer, latest_start(call, now));
    TargetState* first = call->path->targets.front().state;
    call->expected = expected_cost(call, first, 0);
    if (lane->head == nullptr) {
        lane->busy_since = now;
        lane->review_at = lane->solo ? Instant::max() : now + kReviewEvery;
    }
    call->rank = rank(call, at_head, now);
    call->sequence = ++sequence_;
    lane->calls.push(call);
    lane->head = lane->calls.top();
    ++waiting_;
    ++call->path->waiting[lane->cls];
    waiting_bytes_ += call->bytes;
    ++call->client->waiting;
    call->client->waiting_bytes += call->bytes;
    call->client->backlog += call->expected;
    // A call that several targets could take is a part of each one's backlog.
    const double part = 1.0 / static_cast<double>(lane->slots.size());
    for (Slot& slot : lane->slots) {
        Flow* flow = slot.flow;
        ClassQueue& q = slot.target->classes[lane->cls];
        if (flow->waiting++ == 0) {
            flow->delay.filled(now);
            flow->part.filled(slot.target->granted);
            q.active_shares += call->client->share;
            // Idle time is not saved up: whoever returns starts level with the least active one.
            const double least = q.heads.empty() ? q.floor : q.heads.top()->flow->counter;
            if (flow->counter < least) {
                charge(flow, (least - flow->counter) * flow->client->share);
            }
        }
        flow->backlog += call->expected * part;
        flow->backlog_calls += part;
        if (q.waiting++ == 0) {
            q.delay.filled(now);
        }
        q.backlog += call->expected * part;
        q.backlog_calls += part;
    }
    if (lane->head == call) {
        refresh(lane, now);
        return;
    }
    if (lane->parked && own_limit(call->client, cost(call, first, 0), now) == LimitKind::none) {
        unpark(call->client, now);  // it may go beside the head that its client's limit holds back
    }
    for (Slot& slot : lane->slots) {
        // It may fit before the head does.
        if (slot.heap_pos != kNotInHeap && call->expected < lane->head->expected) {
            dirty(slot.target);
        }
    }
}

void Engine::Impl::dequeue(CallRecord* call, Instant now) {
    Lane* lane = call->lane;
    disarm(call->timer);
    call->waited += now - call->wait_since;
    const bool was_head = lane->head == call;
    lane->calls.erase(call);
    lane->head = lane->calls.empty() ? nullptr : lane->calls.top();
    --waiting_;
    --call->path->waiting[lane->cls];
    waiting_bytes_ -= call->bytes;
    call->client->waiting_bytes -= call->bytes;
    ClientState* client = call->client;
    client->backlog = --client->waiting == 0 ? 0 : client->backlog - call->expected;
    const double part = 1.0 / static_cast<double>(lane->slots.size());
    for (Slot& slot : lane->slots) {
        Flow* flow = slot.flow;
        ClassQueue& q = slot.target->classes[lane->cls];
        flow->backlog -= call->expected * part;
        flow->backlog_calls -= part;
        if (--flow->waiting == 0) {
            flow->delay.emptied(now);
            flow->part.emptied(slot.target->granted);
            flow->backlog = flow->backlog_calls = 0;
            q.active_shares -= client->share;
        }
        q.backlog -= call->expected * part;
        q.backlog_calls -= part;
        if (--q.waiting == 0) {
            q.delay.emptied(now);
            q.backlog = q.backlog_calls = q.active_shares = q.owed = 0;
        }
    }
    call->lane = nullptr;
    call->state = CallState::idle;
    if (lane->solo) {
        drop_lane(lane);
        call->own_lane.reset();
    } else if (was_head) {
        refresh(lane, now);
    }
}

bool Engine::Impl::closed(TargetState* target, Instant now) const {
    if (target->daily_until > now || (target->daily_probing && target->daily_probe_out)) {
        return true;
    }
    return !target->breaker.allows(now);
}

/// Calls of this client find the target unfit, and the path has another one that is not.
bool Engine::Impl::passed_over(const Path& path, const TargetState* target,
                               const ClientState* client, Instant now) {
    return target->unfit.closed_for(client->key, now) &&
           std::ranges::any_of(path.targets, [&](const PathTarget& other) {
               return !other.state->unfit.closed_for(client->key, now);
           });
}

Instant Engine::Impl::eligible_at(const Lane* lane, std::size_t index, Instant now) const {
    const CallRecord* call = lane->head;
    if (call != nullptr && call->ordeal) {
        const Ordeal::Place* place = call->ordeal->find(lane->slots[index].target);
        if (place != nullptr && (place->barred || place->not_before > now)) {
            return place->barred ? Instant::max() : place->not_before;
        }
    }
    const Path& path = *lane->path;
    const TargetState* target = lane->slots[index].target;
    if (passed_over(path, target, lane->client, now)) {
        return target->unfit.until();
    }
    if (call != nullptr && call->ordeal && lane->solo) {
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
        if (turn(call, lane->slots[j], true, now) <= spill) {
            return spill;
        }
    }
    return now;
}

/// Puts the lane's head where it may go now, and sets the time at which that changes by itself.
void Engine::Impl::refresh(Lane* lane, Instant now) {
    Instant next = Instant::max();
    for (std::size_t i = 0; i < lane->slots.size(); ++i) {
        Slot& slot = lane->slots[i];
        auto& heads = slot.target->classes[lane->cls].heads;
        Instant at = Instant::max();
        if (lane->head != nullptr && !lane->parked) {
            at = eligible_at(lane, i, now);
        }
        const bool inside = slot.heap_pos != kNotInHeap;
        if (at <= now) {
            if (inside) {
                heads.update(&slot);
            } else {
                heads.push(&slot);
            }
            dirty(slot.target);
        } else {
            if (inside) {
                heads.erase(&slot);
            }
            next = std::min(next, at);
        }
    }
    arm(lane->timer, std::min(next, lane->review_at));
}

/// A target has closed or paused: those that counted on it may go elsewhere at once.
void Engine::Impl::refresh_waiting_for(TargetState* target, Instant now) {
    std::vector<Lane*> lanes;
    for (ClassQueue& q : target->classes) {
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

/// The head may not use this target before `until`, though its queue has come to it.
void Engine::Impl::set_aside(Slot* slot, Instant until) {
    slot->target->classes[slot->lane->cls].heads.erase(slot);
    Timer& timer = slot->lane->timer;
    if (!timers_.contains(&timer) || until < timer.at) {
        arm(timer, until);
    }
}

void Engine::Impl::park(Lane* lane, Instant until) {
    lane->parked = true;
    lane->client->parked.push_back(lane);
    refresh(lane, now_);
    Timer& timer = lane->client->timer;
    if (!timers_.contains(&timer) || until < timer.at) {
        arm(timer, until);
    }
}

void Engine::Impl::unpark(ClientState* client, Instant now) {
    disarm(client->timer);
    std::vector<Lane*> lanes;
    lanes.swap(client->parked);
    for (Lane* lane : lanes) {
        lane->parked = false;
        refresh(lane, now);
    }
}

}  // namespace weir
