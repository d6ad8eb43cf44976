// What stands before whom, how long a queue may get, and who holds most of it.
#include <algorithm>

#include "policy/waiting.h"

namespace weir::policy {

namespace {
// Values that were tried: docs/tuning.md.
// The part of the time left that an estimated turn may take.
constexpr double kSure = 0.9;
// Of a window's quota: see ServedPart::part().
constexpr double kPartWeight = 0.2;
constexpr double kPartMemory = 0.5;
// adaptive_lifo: a call that has waited for so many times target_wait in a standing overload was
// overtaken for good: docs/tuning.md.
constexpr int kOvertaken = 4;
// The last of a lane is looked for among so many: a heap has its last ones at the end.
constexpr std::size_t kTailLooks = 1024;

const Slot* first_head(const Flow& flow) {
    const auto at = std::ranges::find_if(
        flow.slots, [](const Slot* slot) { return slot->heap_pos != kNotInHeap; });
    return at == flow.slots.end() ? nullptr : *at;
}

/// What more urgent classes have waiting.
Waiting::Ahead before_class(const Slot& slot) {
    Waiting::Ahead ahead;
    for (std::size_t c = 0; c < slot.flow->cls; ++c) {
        const ClassQueue& q = slot.target->queue.classes[c];
        ahead.tokens += q.backlog;
        ahead.calls += q.backlog_calls;
        if (const SharedQuota* shared = slot.target->pool->shared()) {
            const auto more = shared->elsewhere(static_cast<std::uint32_t>(c));
            ahead.tokens += more.tokens;
            ahead.calls += more.calls;
        }
    }
    return ahead;
}

/// What waits at other instances and goes before a call that has the part `part` of its flow's
/// backlog in front of it: as much of the same client's, and of other clients' no more than that.
Waiting::Ahead before_elsewhere(const Slot& slot, double part) {
    const SharedQuota* shared = slot.target->pool->shared();
    if (shared == nullptr) {
        return {};
    }
    const Flow& flow = *slot.flow;
    const auto cls = static_cast<std::uint32_t>(flow.cls);
    const auto same = shared->elsewhere(cls, flow.client->name);
    const auto all = shared->elsewhere(cls);
    const double own = (flow.backlog + same.tokens) * part;
    const double others = std::max(0.0, all.tokens - same.tokens);
    const double due = std::min(others, own);
    const double calls_a_token = all.tokens > 0 ? all.calls / all.tokens : 0;
    return {same.tokens * part + due, same.calls * part + due * calls_a_token};
}

/// What other clients of the class are served before a flow's turn comes for what stands behind
/// `own` tokens of its own: until their counters reach its counter then, or what the flow has been
/// made to wait for of late, whichever is more.
Waiting::Ahead before_flow(Flow& flow, double own) {
    const TargetState& t = *flow.target;
    const ClassQueue& q = t.queue.classes[flow.cls];
    const double share = flow.client->share;
    const auto limit =
        static_cast<double>(t.pool->meter(LimitKind::tokens).limit().value_or(kUnknownLimit));
    double counter = flow.counter;
    if (flow.waiting == 0 && !q.heads.empty()) {
        counter = std::max(counter, q.heads.top()->flow->counter);
    }
    counter += own / limit / share;
    double tokens = 0;
    double calls = 0;
    for (const Slot* slot : q.heads.items()) {
        const Flow* other = slot->flow;
        const double lead = counter - other->counter;
        // A client with calls of several routes has several heads and one backlog.
        if (other != &flow && lead > 0 && slot == first_head(*other)) {
            const double due = std::min(other->backlog, lead * other->client->share * limit);
            tokens += due;
            calls += other->backlog_calls * due / std::max(other->backlog, 1.0);
        }
    }
    if (flow.waiting == 0) {
        return {tokens, calls};
    }
    const double promised = share / std::max(q.active_shares, share);
    const double part =
        flow.part.part(t.queue.granted, promised, kPartWeight * limit, kPartMemory * limit);
    const double measured = own / part - own;
    if (measured > tokens) {
        calls = std::max(calls, flow.backlog_calls * (1 / part - 1) *
                                    std::min(1.0, own / std::max(flow.backlog, 1.0)));
        tokens = measured;
    }
    return {tokens, calls};
}

}  // namespace

Waiting::Ahead Waiting::before_newcomer(const Slot& slot) {
    Ahead ahead = before_class(slot);
    const Flow& flow = *slot.flow;
    const Ahead others = before_flow(*slot.flow, flow.backlog);
    ahead.tokens += others.tokens + flow.backlog;
    ahead.calls += others.calls + flow.backlog_calls;
    const Ahead elsewhere = before_elsewhere(slot, 1);
    ahead.tokens += elsewhere.tokens;
    ahead.calls += elsewhere.calls;
    return ahead;
}

Waiting::Ahead Waiting::before_head(const Slot& slot) {
    Ahead ahead = before_class(slot);
    const ClassQueue& q = slot.target->queue.classes[slot.flow->cls];
    if (!q.heads.empty() && q.heads.top() != &slot) {
        // At most one call of each other lane goes before it.
        const double others = std::min<double>(static_cast<double>(q.heads.size()), q.waiting);
        ahead.calls += others;
        ahead.tokens += q.waiting > 0 ? q.backlog / std::max(1.0, q.backlog_calls) * others : 0;
    }
    return ahead;
}

Waiting::Ahead Waiting::before_waiting(const Slot& slot, double part) {
    Ahead ahead = before_class(slot);
    const Flow& flow = *slot.flow;
    const double own = flow.backlog * part;
    const Ahead others = before_flow(*slot.flow, own);
    ahead.tokens += others.tokens + own;
    ahead.calls += others.calls + flow.backlog_calls * part;
    const Ahead elsewhere = before_elsewhere(slot, part);
    ahead.tokens += elsewhere.tokens;
    ahead.calls += elsewhere.calls;
    return ahead;
}

bool Waiting::standing(Flow& flow, Instant now) const {
    ControlledDelay& queue = flow.target->queue.classes[flow.cls].delay;
    return queue.standing(2 * window_, queue_.max_wait, now) &&
           flow.delay.standing(window_, Duration::zero(), now);
}

Instant Waiting::let_in_until(Flow& flow, Instant latest, Instant now) const {
    // A turn is an estimate, and a call that is refused late could have gone elsewhere at once.
    const Instant sure = now + from_seconds(to_seconds(latest - now) * kSure);
    return standing(flow, now) ? std::min(sure, now + queue_.target_wait) : sure;
}

void Waiting::note_turned_away(const CallRecord& call, Lane& lane, Instant now) const {
    const double part = 1.0 / static_cast<double>(lane.slots.size());
    for (Slot& slot : lane.slots) {
        TargetState& t = *slot.target;
        const auto limit = t.pool->meter(LimitKind::tokens).limit();
        if (!limit) {
            continue;
        }
        const Duration window = t.pool->window();
        const double a_second = static_cast<double>(std::max<std::uint64_t>(*limit, 1)) *
                                t.estimator->usable_share(window) / to_seconds(window);
        // A call that several targets could take is a part of each one's load.
        const double seconds = expected_cost(call, t, slot.index) * part / a_second;
        ClassQueue& q = t.queue.classes[lane.cls];
        const double own = lane.client->share / std::max(q.active_shares, lane.client->share);
        const Duration most = queue_.max_wait;
        const double longest = to_seconds(most);
        q.delay.refused(from_seconds(std::min(seconds, longest)), most, now);
        slot.flow->delay.refused(from_seconds(std::min(seconds / own, longest)), most, now);
        if (SharedQuota* shared = t.pool->shared()) {
            shared->refused(static_cast<std::uint32_t>(lane.cls), lane.client->name, seconds);
        }
    }
}

bool Waiting::backlogged(const Flow& flow) {
    return flow.waiting > 0 || waits_elsewhere(flow.target, flow.cls, &flow.client->name);
}

void Waiting::hear_others(TargetState& target, Instant now) const {
    const SharedQuota* shared = target.pool->shared();
    const Duration most = queue_.max_wait;
    const auto hear = [&](ControlledDelay& delay, const BookExchange::Backlog& others, double part,
                          bool own) {
        if (others.refused > 0) {
            const double seconds = std::min(others.refused / part, to_seconds(most));
            delay.refused(from_seconds(seconds), most, now);
        }
        if (own || others.calls > 0) {
            delay.filled(now);
        } else {
            delay.emptied(now);
        }
    };
    for (std::size_t c = 0; c < kPriorities; ++c) {
        ClassQueue& q = target.queue.classes[c];
        hear(q.delay, shared->elsewhere(static_cast<std::uint32_t>(c)), 1, q.waiting > 0);
    }
    for (const auto& [key, flow] : target.queue.flows) {
        const double shares = target.queue.classes[flow->cls].active_shares;
        const double share = flow->client->share;
        const auto others =
            shared->elsewhere(static_cast<std::uint32_t>(flow->cls), flow->client->name);
        hear(flow->delay, others, share / std::max(shares, share), flow->waiting > 0);
    }
}

bool Waiting::overtaken(const CallRecord& call, const Lane& lane, Instant now) const {
    if (!newest_first() || &call == lane.head) {
        return false;
    }
    return now - call.queued.since > kOvertaken * queue_.target_wait &&
           std::ranges::all_of(lane.slots,
                               [&](const Slot& slot) { return standing(*slot.flow, now); });
}

CallRecord* Waiting::last_behind(CallRecord& call, const Lane& lane, Instant now) const {
    if (order_ == Order::fifo || lane.head == nullptr) {
        return nullptr;
    }
    call.queued.expected = expected_cost(call, *call.path->targets.front().state, 0);
    call.queued.rank = rank(call, lane, now);
    const std::vector<CallRecord*>& calls = lane.calls.items();
    const std::size_t first = calls.size() - std::min(calls.size(), kTailLooks);
    CallRecord* last = *std::max_element(
        calls.begin() + static_cast<std::ptrdiff_t>(first), calls.end(),
        [](const CallRecord* a, const CallRecord* b) { return CallLess()(*a, *b); });
    const bool behind = last->queued.rank > call.queued.rank;
    return behind && last->queued.expected >= call.queued.expected ? last : nullptr;
}

Waiting::Full Waiting::full_for(const CallRecord& call) const {
    if (calls_ >= queue_.max_waiting) {
        return Full::calls;
    }
    return bytes_ + call.asked.bytes > most_bytes_ ? Full::bytes : Full::no;
}

CallRecord* Waiting::newest_of_largest(const CallRecord& call, Full full,
                                       std::span<ClientState* const> clients) {
    const bool by_bytes = full == Full::bytes;
    const auto held = [&](const ClientState& client) {
        const std::uint64_t amount = by_bytes ? client.queue.waiting_bytes : client.queue.waiting;
        return static_cast<double>(amount) / client.share;
    };
    const ClientState& own = *call.client;
    double most = held(own) + static_cast<double>(by_bytes ? call.asked.bytes : 1) / own.share;
    const ClientState* largest = nullptr;
    for (const ClientState* client : clients) {
        if (client != &own && held(*client) > most) {
            most = held(*client);
            largest = client;
        }
    }
    if (largest == nullptr) {
        return nullptr;
    }
    // Its least urgent class first.
    const auto later = [](const CallRecord* a, const CallRecord* b) {
        return a->asked.priority != b->asked.priority ? a->asked.priority > b->asked.priority
                                                      : a->arrival > b->arrival;
    };
    CallRecord* newest = nullptr;
    for (const Lane* lane : largest->queue.lanes) {
        for (CallRecord* waiting : lane->calls.items()) {
            if (newest == nullptr || later(waiting, newest)) {
                newest = waiting;
            }
        }
    }
    return newest;
}

}  // namespace weir::policy
