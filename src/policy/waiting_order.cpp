// Who is next: the order within a lane, the counters between clients, the deficit between classes.
#include <algorithm>
#include <utility>

#include "policy/waiting.h"

namespace weir::policy {

namespace {
// Values that were tried: docs/tuning.md.
// Each class with calls waiting is owed this part of what is granted to the others.
constexpr double kOwedShare = 0.05;
// adaptive_lifo: a lane is standing once it has not been empty for this part of a call's patience.
constexpr double kStanding = 0.25;
// small_first: a call that costs this many times the mean is ordered as if it had arrived at the
// end of its patience.
constexpr double kLargeCall = 8;

bool is_owed(const ClassQueue& q, const TargetState& target) {
    const Slot& head = *q.heads.top();
    return q.owed >= static_cast<double>(held_cost(*head.lane->head, target, head.index).tokens);
}
}  // namespace

/// A call's place among its lane's, in seconds. First come, first served, by the time the client
/// asked first: an SDK's retry takes its old place, and so does what the service has refused.
double Waiting::rank(const CallRecord& call, const Lane& lane, Instant now) const {
    const double arrival = to_seconds(call.arrival.time_since_epoch());
    const double patience = to_seconds(call.deadline - call.arrival);
    switch (order_) {
        case Order::fifo:
            break;
        case Order::adaptive_lifo:
            // A lane that has stood for a part of a call's patience will not catch up by itself:
            // whoever came last can still be served in time.
            if (to_seconds(now - lane.busy_since) > patience * kStanding) {
                return -arrival;
            }
            break;
        case Order::small_first: {
            // As if a large call had come later, by a part of its patience at most, so that it is
            // passed over for a while and not for ever.
            const Estimator& e = *call.path->targets.front().state->estimator;
            const double mean = std::max(e.mean_settled(), 1.0);
            return arrival + patience * std::min(1.0, call.queued.expected / (kLargeCall * mean));
        }
    }
    return arrival;
}

Slot* Waiting::next(const TargetState& target) {
    Slot* first = nullptr;
    for (const ClassQueue& q : target.queue.classes) {
        if (q.heads.empty()) {
            continue;
        }
        if (first == nullptr) {
            first = q.heads.top();
        } else if (is_owed(q, target)) {
            return q.heads.top();
        }
    }
    return first;
}

bool Waiting::others_first(const TargetState& target, std::size_t cls) {
    for (std::size_t c = 0; c < kPriorities; ++c) {
        const ClassQueue& q = target.queue.classes[c];
        if (!q.heads.empty() && (c <= cls || is_owed(q, target))) {
            return true;
        }
    }
    return false;
}

void Waiting::served(const Slot& slot, const CallRecord& call) {
    slot.flow->part.served(expected_cost(call, *slot.target, slot.index), slot.flow->waiting == 1);
}

void Waiting::charge(CallRecord& call, Amount held, Instant now) {
    Attempt& attempt = call.attempt;
    TargetState& t = *attempt.target;
    const auto cls = static_cast<std::size_t>(call.asked.priority);
    attempt.flow = flow_for(t, call.client, cls, now);
    ++attempt.flow->refs;
    const double expected = expected_cost(call, t, attempt.index);
    attempt.charged = share_of(*t.pool, Amount(static_cast<std::uint64_t>(expected), held.output));
    t.queue.granted += expected;
    double& floor = t.queue.classes[cls].floor;
    floor = std::max(floor, attempt.flow->counter);
    add(*attempt.flow, attempt.charged);
    for (std::size_t other = 0; other < kPriorities; ++other) {
        ClassQueue& q = t.queue.classes[other];
        if (other == cls) {
            q.owed = std::max(0.0, q.owed - static_cast<double>(held.tokens));
        } else if (!q.heads.empty()) {
            q.owed += kOwedShare * static_cast<double>(held.tokens);
        }
    }
}

void Waiting::correct(CallRecord& call, std::optional<double> share) {
    if (share) {
        add(*call.attempt.flow, *share - call.attempt.charged);
    }
}

void Waiting::release(CallRecord& call) {
    release(std::exchange(call.attempt.flow, nullptr));
}

void Waiting::add(Flow& flow, double amount) {
    flow.counter += amount / flow.client->share;
    if (SharedQuota* shared = flow.target->pool->shared()) {
        shared->charge(counter_name(flow), amount / flow.client->share);
    }
    reorder(flow);
}

std::string Waiting::counter_name(const Flow& flow) {
    return std::to_string(flow.cls) + flow.client->name;
}

void Waiting::adopt_counters(TargetState& target, const SharedQuota& shared) {
    for (const auto& [key, flow] : target.queue.flows) {
        if (flow->waiting == 0) {
            continue;
        }
        if (const auto told = shared.counter(counter_name(*flow))) {
            flow->counter = *told;
            reorder(*flow);
        }
    }
}

void Waiting::reorder(Flow& flow) {
    for (Slot* slot : flow.slots) {
        if (slot->heap_pos != kNotInHeap) {
            flow.target->queue.classes[flow.cls].heads.update(slot);
        }
    }
}

}  // namespace weir::policy
