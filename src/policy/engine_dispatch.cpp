// advance(): whose turn has come, and whose time is over.
#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
constexpr std::size_t kWakesACall = 64;
constexpr double kOwedShare = 0.05;
// 1, 8, 32, 128, seeds 21-24: by calls, long inputs at 1.0 97.5, 98.1, 98.4, 98.4; code trace at
// 0.5 94.7, 94.8, 95.0, 95.1.
constexpr std::size_t kBackfillLooks = 32;
}  // namespace

void Engine::Impl::dirty(TargetState* target) {
    if (!target->dirty) {
        target->dirty = true;
        dirty_.push_back(target);
    }
}

/// The class whose turn it is: one that is owed, else the most urgent; within it the least counter.
Slot* Engine::Impl::pick(TargetState* target) {
    Slot* first = nullptr;
    for (std::size_t c = 0; c < kPriorities; ++c) {
        ClassQueue& q = target->classes[c];
        if (q.heads.empty()) {
            continue;
        }
        Slot* slot = q.heads.top();
        if (first == nullptr) {
            first = slot;
        } else if (q.owed >=
                   static_cast<double>(cost(slot->lane->head, target, slot->index).tokens)) {
            return slot;
        }
    }
    return first;
}

/// A later call of the head's lane that fits now and leaves the head its start; null: none among
/// the first.
CallRecord* Engine::Impl::backfill(TargetState* target, const Slot* head, Instant now) {
    Lane* lane = head->lane;
    if (lane->calls.size() < 2) {
        return nullptr;
    }
    const std::uint64_t most = target->pool->spare_beside(cost(lane->head, target, head->index));
    if (most == 0) {
        return nullptr;
    }
    std::size_t looks = 0;
    for (CallRecord* call : lane->calls.items()) {
        if (++looks > kBackfillLooks) {
            break;
        }
        const Amount c = cost(call, target, head->index);
        if (call == lane->head || c.tokens > most ||
            (head->fallback && call->arrival > lane->head->arrival)) {
            continue;
        }
        if (own_limit(lane->client, c, now) != LimitKind::none) {
            continue;
        }
        if (target->pool->blocked_by(c) == LimitKind::none) {
            return call;
        }
    }
    return nullptr;
}

/// When this target may be sent to, quota apart; Instant::max(): only an event can change it.
Instant Engine::Impl::may_send_at(TargetState* target, Instant now) {
    const Instant at = std::max(now, target->daily_until);
    if (target->daily_probing && target->daily_probe_out) {
        return Instant::max();
    }
    if (target->region->in_flight >= config_.pool.max_connections) {
        return Instant::max();
    }
    if (target->max_in_flight && pool_in_flight(target) >= *target->max_in_flight) {
        return Instant::max();
    }
    const Instant breaker = target->breaker.allows_at(now);
    return std::max(at, breaker);
}

/// Every target of a path is open: the first to reopen is tried ahead of its time, by its probes
/// only.
void Engine::Impl::rescue(Path* path, Instant now) {
    TargetState* first = nullptr;
    for (const PathTarget& t : path->targets) {
        if (!t.state->breaker.open(now) && !t.state->breaker.gated(now)) {
            return;
        }
        if (first == nullptr || t.state->breaker.opens_until() < first->breaker.opens_until()) {
            first = t.state;
        }
    }
    if (first == nullptr) {
        return;
    }
    if (first->breaker.gated(now)) {
        first->breaker.lift_gate();
        dirty(first);
        return;
    }
    const Instant at = first->breaker.may_force_at();
    if (at <= now) {
        first->breaker.force_half_open(now);
        dirty(first);
    } else if (!timers_.contains(&first->timer) || first->timer.at > at) {
        arm(first->timer, at);
    }
}

/// The path's targets in order; among equals the less loaded of two drawn by weight comes first
/// (the power of two choices: Mitzenmacher, 2001).
std::optional<Grant> Engine::Impl::grant_first_choice(CallRecord* call, Instant now) {
    const auto& targets = call->path->targets;
    if (call->cache_home != 0) {
        if (auto g = grant_cache_home(call, now)) {
            return g;
        }
    }
    for (std::size_t from = 0; from < targets.size();) {
        std::size_t to = from + 1;
        std::uint64_t weights = targets[from].candidate.weight;
        while (to < targets.size() && targets[to].group == from) {
            weights += targets[to++].candidate.weight;
        }
        std::size_t first = from;
        if (to - from > 1) {
            const auto draw = [&] {
                auto left =
                    static_cast<std::uint64_t>(random_.uniform() * static_cast<double>(weights));
                std::size_t i = from;
                while (i + 1 < to && left >= targets[i].candidate.weight) {
                    left -= targets[i++].candidate.weight;
                }
                return i;
            };
            const auto load = [&](std::size_t i) {
                return static_cast<double>(targets[i].state->in_flight) /
                       static_cast<double>(targets[i].candidate.weight);
            };
            const std::size_t a = draw();
            const std::size_t b = draw();
            first = load(b) < load(a) ? b : a;
        }
        if (try_grant(call, first, now, false)) {
            return grant(call, first, now);
        }
        for (std::size_t i = from; i < to; ++i) {
            if (i != first && try_grant(call, i, now, false)) {
                return grant(call, i, now);
            }
        }
        from = to;
    }
    return std::nullopt;
}

/// The target that holds the prompt cache of the call's conversation, while it has room: the same
/// model only.
std::optional<Grant> Engine::Impl::grant_cache_home(CallRecord* call, Instant now) {
    const auto& targets = call->path->targets;
    for (std::size_t i = 0; i < targets.size(); ++i) {
        if (targets[i].state->number == call->cache_home && !targets[i].candidate.unlike_first &&
            try_grant(call, i, now, false, true)) {
            return grant(call, i, now);
        }
    }
    return std::nullopt;
}

Grant Engine::Impl::grant(CallRecord* call, std::size_t index, Instant now) {
    const PathTarget& place = call->path->targets[index];
    TargetState* t = place.state;
    const Amount c = cost(call, t, index);
    call->state = CallState::granted;
    recent_ = call;
    call->index = index;
    call->target = t;
    if (call->first_target == nullptr) {
        call->first_target = t;
    }
    const Estimator& e = *t->estimator;
    const double margin =
        static_cast<double>(e.held_input(call->input)) - e.expected_input(call->input);
    call->reservation = t->pool->hold(c, static_cast<std::uint64_t>(std::max(0.0, margin)));
    if (call->client->limits) {
        call->client_reservation = call->client->limits->hold(own_amount(call->client, c));
    }
    call->permit = t->breaker.take(now);
    if (t->daily_probing) {
        t->daily_probe_out = true;
        call->daily_probe = true;
    }
    ++t->in_flight;
    ++t->region->in_flight;
    ++call->client->in_flight;
    ++in_flight_;
    ++call->sends;
    ++call->attempts;
    t->budget.note_send(now);
    t->estimator->learn_reservation(c.tokens, max_output(call, t, index));

    const std::size_t cls = static_cast<std::size_t>(call->priority);
    call->flow = flow_for(t, call->client, cls);
    ++call->flow->refs;
    for (std::size_t earlier = 0; earlier < index; ++earlier) {
        TargetState* spared = call->path->targets[earlier].state;
        if (spared->breaker.state(now) != BreakerState::closed) {
            spared->breaker.avoided();
            if (spared->breaker.allows(now)) {
                dirty(spared);
            }
        }
    }
    // Charged as it is expected to settle: what max_tokens holds for some seconds would put a light
    // client behind by several of its own turns.
    const double expected = expected_cost(call, t, index);
    call->charged = share_of(*t->pool, Amount(static_cast<std::uint64_t>(expected), c.output));
    t->granted += expected;
    t->classes[cls].floor = std::max(t->classes[cls].floor, call->flow->counter);
    charge(call->flow, call->charged);
    for (std::size_t other = 0; other < kPriorities; ++other) {
        ClassQueue& q = t->classes[other];
        if (other == cls) {
            q.owed = std::max(0.0, q.owed - static_cast<double>(c.tokens));
        } else if (!q.heads.empty()) {
            q.owed += kOwedShare * static_cast<double>(c.tokens);
        }
    }

    Grant g;
    g.target = &t->target;
    g.attempt = call->sends;
    g.reservation = c.tokens;
    call->sent_output = max_output(call, t, index);
    call->right_sized = call->sent_output < allowed_output(call, t, index);
    t->right_sized += call->right_sized ? 1 : 0;
    if (call->cache_home != 0) {
        ++(t->number == call->cache_home ? t->cache_kept : t->cache_moved);
    }
    if (call->sent_output < call->max_output.value_or(t->facts.max_output)) {
        g.max_output = call->sent_output;
    }
    g.right_sized = call->right_sized;
    g.substituted = place.candidate.substituted;
    g.degraded = place.candidate.degraded;
    g.fallback = place.group > 0;
    g.output_burndown = t->pool->apart() ? 0 : t->burndown;
    g.path = place.candidate.path;
    g.deadline = call->deadline;
    g.elsewhere = may_time_out(call, now);
    g.guardrail = place.guardrail;
    g.profile = place.profile;
    return g;
}

void Engine::Impl::dispatch(TargetState* target, Instant now, std::vector<Wake>& woken,
                            std::size_t limit) {
    target->pool->tick(now);
    while (woken.size() < limit) {
        Slot* slot = pick(target);
        if (slot == nullptr) {
            disarm(target->timer);
            return;
        }
        target->breaker.ask_for(slot->lane->client->key, now);
        const Instant open_at = may_send_at(target, now);
        if (open_at > now) {
            arm(target->timer, open_at);
            if (target->breaker.open(now) || target->breaker.gated(now)) {
                rescue(slot->lane->path, now);
                if (target->breaker.allows(now)) {
                    continue;
                }
            }
            if (target->breaker.accused_only_by(slot->lane->client->key) &&
                timers_.contains(&target->timer)) {
                set_aside(slot, target->timer.at);  // it is open to the others behind
                continue;
            }
            return;
        }
        Lane* lane = slot->lane;
        CallRecord* call = lane->head;
        const std::size_t index = slot->index;
        if (!probes_at_once(call, target, now)) {
            set_aside(slot,
                      target->breaker.may_probe_at(call->witness, call->ordeal != nullptr, now));
            continue;
        }
        const Amount c = cost(call, target, index);
        const bool own = own_limit(lane->client, c, now) != LimitKind::none;
        if (own) {
            call = beside_own(target, slot, now);
            if (call == nullptr) {
                park(lane, own_free_at(lane->client, c, now));
                continue;
            }
        }
        const bool paused = target->pool->paused_until() > now;
        if (!own && (paused || target->pool->blocked_by(c) != LimitKind::none)) {
            call = paused ? nullptr : backfill(target, slot, now);
            if (call == nullptr) {
                arm(target->timer, target->pool->fits_at(c, now));
                return;
            }
        }
        slot->flow->part.served(expected_cost(call, target, index), slot->flow->waiting == 1);
        dequeue(call, now);
        const CallId id = call->id;
        woken.push_back(Wake{id, grant(call, index, now)});
    }
    dirty(target);
}

RefusalReason Engine::Impl::expiry_reason(const CallRecord* call, Instant now) const {
    for (const PathTarget& t : call->path->targets) {
        if (!t.state->breaker.open(now)) {
            return RefusalReason::deadline;
        }
    }
    return RefusalReason::unavailable;
}

void Engine::Impl::on_timer(Timer& timer, Instant now, std::vector<Wake>& woken,
                            std::size_t limit) {
    disarm(timer);
    switch (timer.kind) {
        case TimerKind::call: {
            auto* call = static_cast<CallRecord*>(timer.owner);
            if (call->state != CallState::waiting) {
                silent(call, now);
                break;
            }
            const CallId id = call->id;
            Refusal r = refusal(expiry_reason(call, now), call, 0);
            TargetState* t = call->path->targets.front().state;
            const Instant free = t->pool->fits_at(r.cost, now);
            r.retry_after = free == Instant::max() ? Duration::zero() : free - now;
            if (own_limit(call->client, cost(call, t, 0), now) != LimitKind::none) {
                // Its client's own limit stood in its way, not the service's.
                r = refusal(RefusalReason::client_limit, call, 0);
                const Instant at = own_free_at(call->client, cost(call, t, 0), now);
                r.retry_after = at == Instant::max() ? Duration::zero() : at - now;
            }
            if (call->ordeal && call->ordeal->last) {
                r.upstream = call->ordeal->last;
            }
            if (r.reason == RefusalReason::deadline) {
                note_turned_away(call, call->lane, now);
            }
            dequeue(call, now);
            woken.push_back(Wake{id, finish(call, std::move(r), now)});
            break;
        }
        case TimerKind::lane:
            review(static_cast<Lane*>(timer.owner), now, woken, limit);
            break;
        case TimerKind::target:
            dirty(static_cast<TargetState*>(timer.owner));
            break;
        case TimerKind::client:
            unpark(static_cast<ClientState*>(timer.owner), now);
            break;
    }
}

void Engine::Impl::advance(Instant now, std::vector<Wake>& woken) {
    now = tick(now);
    if (purge_due_) {
        purge();
    }
    const std::size_t limit = woken.size() + kWakesACall;
    while (!doomed_.empty() && woken.size() < limit) {
        auto [id, refusal] = std::move(doomed_.back());
        doomed_.pop_back();
        if (CallRecord* call = find(id); call != nullptr && call->state == CallState::idle) {
            woken.push_back(Wake{id, finish(call, std::move(refusal), now)});
        }
    }
    for (;;) {
        // Whose time is over leaves before the room goes round: no grant past a deadline.
        while (!timers_.empty() && timers_.top()->at <= now && woken.size() < limit) {
            on_timer(*timers_.top(), now, woken, limit);
        }
        if (woken.size() >= limit || dirty_.empty()) {
            return;
        }
        TargetState* target = dirty_.back();
        dirty_.pop_back();
        target->dirty = false;
        dispatch(target, now, woken, limit);
    }
}

}  // namespace weir
