// Lanes, and calls that join and leave them.
#include "policy/waiting.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace weir::policy {

void Waiting::configure(const Config& config) {
    queue_ = config.queue;
    order_ = queue_.order == "adaptive_lifo" ? Order::adaptive_lifo
             : queue_.order == "small_first" ? Order::small_first
                                             : Order::fifo;
    window_ = config.quota_window;
    most_bytes_ = config.limits.max_buffered;
}

std::unique_ptr<Lane> Waiting::new_lane(Path* path, ClientState* client, std::size_t cls, bool solo,
                                        Instant now) {
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
        slot.flow = flow_for(*slot.target, client, cls, now);
        ++slot.flow->refs;
        slot.flow->slots.push_back(&slot);
    }
    return lane;
}

Lane* Waiting::lane_for(CallRecord& call, Instant now) {
    const auto key = std::pair(call.client, static_cast<std::size_t>(call.asked.priority));
    auto& lane = call.path->lanes[key];
    if (!lane) {
        lane = new_lane(call.path, key.first, key.second, false, now);
        call.client->queue.lanes.push_back(lane.get());
    }
    return lane.get();
}

/// Takes an empty lane out of every list; its owner destroys it.
void Waiting::drop(Lane& lane) {
    agenda_.disarm(lane.timer);
    for (Slot& slot : lane.slots) {
        if (slot.heap_pos != kNotInHeap) {
            slot.target->queue.classes[lane.cls].heads.erase(&slot);
        }
        std::erase(slot.flow->slots, &slot);
        release(slot.flow);
    }
    std::erase(lane.client->queue.parked, &lane);
    if (!lane.solo) {
        std::erase(lane.client->queue.lanes, &lane);
    }
}

void Waiting::drop_lanes(Path& path) {
    // In the order they were made, not that of their keys, which are addresses: the order in which
    // timers leave the agenda decides between timers of the same instant.
    std::vector<Lane*> lanes;
    for (const auto& [key, lane] : path.lanes) {
        lanes.push_back(lane.get());
    }
    std::ranges::sort(lanes, {}, &Lane::sequence);
    for (Lane* lane : lanes) {
        drop(*lane);
    }
    path.lanes.clear();
}

void Waiting::drop_lanes(ClientState& client) {
    agenda_.disarm(client.timer);
    while (!client.queue.lanes.empty()) {
        Lane* lane = client.queue.lanes.back();
        drop(*lane);
        lane->path->lanes.erase({&client, lane->cls});
    }
}

Flow* Waiting::flow_for(TargetState& target, ClientState* client, std::size_t cls, Instant now) {
    auto& flow = target.queue.flows[{client, cls}];
    if (!flow) {
        flow = std::make_unique<Flow>(now);
        flow->target = &target;
        flow->client = client;
        flow->cls = cls;
        flow->counter = target.queue.classes[cls].floor;
    }
    return flow.get();
}

void Waiting::release(Flow* flow) {
    if (--flow->refs == 0) {
        flow->target->queue.flows.erase({flow->client, flow->cls});
    }
}

Lane* Waiting::join(CallRecord& call, bool at_head, Instant now) {
    Lane* lane = nullptr;
    if (call.history && !call.history->places.empty()) {
        call.queued.own_lane = new_lane(call.path, call.client,
                                        static_cast<std::size_t>(call.asked.priority), true, now);
        lane = call.queued.own_lane.get();
    } else {
        lane = lane_for(call, now);
    }
    call.queued.lane = lane;
    call.state = CallState::waiting;
    call.queued.since = now;
    call.queued.expected = expected_cost(call, *call.path->targets.front().state, 0);
    if (lane->head == nullptr) {
        lane->busy_since = now;
        lane->review_at = lane->solo ? Instant::max() : now + kReviewEvery;
    }
    call.queued.rank = at_head ? -std::numeric_limits<double>::max() : rank(call, *lane, now);
    call.queued.sequence = ++sequence_;
    lane->calls.push(&call);
    lane->head = lane->calls.top();
    ++calls_;
    bytes_ += call.asked.bytes;
    ++call.path->waiting[lane->cls];
    ClientQueue& own = call.client->queue;
    ++own.waiting;
    own.waiting_bytes += call.asked.bytes;
    own.backlog += call.queued.expected;
    // A call that several targets could take is a part of each one's backlog.
    const double part = 1.0 / static_cast<double>(lane->slots.size());
    for (Slot& slot : lane->slots) {
        Flow& flow = *slot.flow;
        ClassQueue& q = slot.target->queue.classes[lane->cls];
        if (flow.waiting++ == 0) {
            flow.delay.filled(now);
            flow.part.filled(slot.target->queue.granted);
            q.active_shares += call.client->share;
            // Idle time is not saved up: whoever returns starts level with the least active one.
            const double least = q.heads.empty() ? q.floor : q.heads.top()->flow->counter;
            if (flow.counter < least) {
                flow.counter = least;
                reorder(flow);
            }
        }
        flow.backlog += call.queued.expected * part;
        flow.backlog_calls += part;
        if (q.waiting++ == 0) {
            q.delay.filled(now);
        }
        q.backlog += call.queued.expected * part;
        q.backlog_calls += part;
    }
    return lane;
}

/// At another instance that shares the quota: the queue of all of them is not empty. `client`: only
/// that one's.
bool Waiting::waits_elsewhere(const TargetState* target, std::size_t cls,
                              const std::string* client) {
    const SharedQuota* shared = target->pool->shared();
    if (shared == nullptr) {
        return false;
    }
    const auto c = static_cast<std::uint32_t>(cls);
    return (client != nullptr ? shared->elsewhere(c, *client) : shared->elsewhere(c)).calls > 0;
}

Lane* Waiting::leave(CallRecord& call, Instant now) {
    Lane* lane = call.queued.lane;
    call.waited += now - call.queued.since;
    const bool was_head = lane->head == &call;
    lane->calls.erase(&call);
    lane->head = lane->calls.empty() ? nullptr : lane->calls.top();
    --calls_;
    bytes_ -= call.asked.bytes;
    --call.path->waiting[lane->cls];
    ClientQueue& own = call.client->queue;
    own.waiting_bytes -= call.asked.bytes;
    own.backlog = --own.waiting == 0 ? 0 : own.backlog - call.queued.expected;
    const double part = 1.0 / static_cast<double>(lane->slots.size());
    for (Slot& slot : lane->slots) {
        Flow& flow = *slot.flow;
        ClassQueue& q = slot.target->queue.classes[lane->cls];
        flow.backlog -= call.queued.expected * part;
        flow.backlog_calls -= part;
        if (--flow.waiting == 0) {
            if (!waits_elsewhere(slot.target, flow.cls, &flow.client->name)) {
                flow.delay.emptied(now);
            }
            flow.part.emptied(slot.target->queue.granted);
            flow.backlog = flow.backlog_calls = 0;
            q.active_shares -= call.client->share;
        }
        q.backlog -= call.queued.expected * part;
        q.backlog_calls -= part;
        if (--q.waiting == 0) {
            if (!waits_elsewhere(slot.target, lane->cls, nullptr)) {
                q.delay.emptied(now);
            }
            q.backlog = q.backlog_calls = q.active_shares = q.owed = 0;
        }
    }
    call.queued.lane = nullptr;
    call.state = CallState::idle;
    if (lane->solo) {
        drop(*lane);
        call.queued.own_lane.reset();
        return nullptr;
    }
    return was_head ? lane : nullptr;
}

void Waiting::set_aside(Slot& slot, Instant until) {
    slot.target->queue.classes[slot.lane->cls].heads.erase(&slot);
    agenda_.arm_by(slot.lane->timer, until);
}

void Waiting::park(Lane& lane) {
    lane.parked = true;
    lane.client->queue.parked.push_back(&lane);
}

std::vector<Lane*> Waiting::unpark(ClientState& client) {
    agenda_.disarm(client.timer);
    std::vector<Lane*> lanes;
    lanes.swap(client.queue.parked);
    for (Lane* lane : lanes) {
        lane->parked = false;
    }
    return lanes;
}

}  // namespace weir::policy
