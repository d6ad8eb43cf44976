// advance(): whose turn has come, and whose time is over.
#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
constexpr std::size_t kWakesACall = 64;
}  // namespace

/// A later call of the head's lane that fits now and leaves the head its start; `own`: it is the
/// client's own limit that holds the head back. Null: none among the first.
CallRecord* Engine::Impl::backfill(TargetState* target, const Slot* head, bool own, Instant now) {
    Lane* lane = head->lane;
    ClientState* client = lane->client;
    if (lane->calls.size() < 2 || target->pool->paused_until() > now || (own && !client->limits)) {
        return nullptr;
    }
    const Amount first = held_cost(*lane->head, *target, head->index);
    const std::uint64_t most = own ? client->limits->spare_beside(own_cost(*client, first))
                                   : target->pool->spare_beside(first);
    if (most == 0) {
        return nullptr;
    }
    return Waiting::beside_head(*head, [&](const CallRecord& call) {
        const Amount c = held_cost(call, *target, head->index);
        return c.tokens <= most && Accounts::own_limit(*client, c, now) == LimitKind::none &&
               Accounts::pool_takes(*target, c, now);
    });
}

/// When this target may be sent to, quota apart; Instant::max(): only an event can change it.
Instant Engine::Impl::may_send_at(TargetState* target, Instant now) {
    const Instant at = std::max(
        {now, target->day.until, target->held.closed(now) ? target->held.until : Instant::min()});
    if (target->day.probing && target->day.probe_out) {
        return Instant::max();
    }
    if (target->region->in_flight >= config_.pool.max_connections) {
        return Instant::max();
    }
    if (Accounts::pool_full(*target)) {
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
        if (t.state->held.closed(now)) {
            continue;
        }
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
        agenda_.dirty(first);
        return;
    }
    const Instant at = first->breaker.may_force_at();
    if (at <= now) {
        first->breaker.force_half_open(now);
        agenda_.dirty(first);
    } else {
        agenda_.arm_by(first->timer, at);
    }
}

/// The path's targets in order; among equals the less loaded of two drawn by weight comes first
/// (the power of two choices: Mitzenmacher, 2001).
std::optional<Grant> Engine::Impl::grant_first_choice(CallRecord* call, Instant now) {
    const auto& targets = call->path->targets;
    if (call->asked.cache_home != 0) {
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
        if (targets[i].state->number == call->asked.cache_home &&
            !targets[i].candidate.unlike_first && try_grant(call, i, now, false, true)) {
            return grant(call, i, now);
        }
    }
    return std::nullopt;
}

Grant Engine::Impl::grant(CallRecord* call, std::size_t index, Instant now) {
    const PathTarget& place = call->path->targets[index];
    TargetState* t = place.state;
    const Amount c = held_cost(*call, *t, index);
    Grant g;
    g.why = reasons(*call, index, now);
    call->state = CallState::granted;
    calls_.expect(call);
    accounts_.reserve(*call, index, c);
    if (call->first_target == nullptr) {
        call->first_target = t;
    }
    call->attempt.permit = t->breaker.take(now);
    if (t->day.probing) {
        t->day.probe_out = true;
        call->attempt.daily_probe = true;
    }
    ++call->sends;
    ++call->attempts;
    t->budget.note_send(now);

    for (std::size_t earlier = 0; earlier < index; ++earlier) {
        TargetState* spared = call->path->targets[earlier].state;
        if (spared->breaker.state(now) != BreakerState::closed) {
            spared->breaker.avoided();
            if (spared->breaker.allows(now)) {
                agenda_.dirty(spared);
            }
        }
    }
    waiting_.charge(*call, c, now);

    g.target = &t->target;
    g.attempt = call->sends;
    g.reservation = c.tokens;
    if (call->asked.cache_home != 0) {
        ++(t->number == call->asked.cache_home ? t->tally.cache_kept : t->tally.cache_moved);
    }
    if (call->attempt.sent_output < call->asked.max_output.value_or(t->terms.facts.max_output)) {
        g.max_output = call->attempt.sent_output;
    }
    g.why.output = call->attempt.sent_output;
    g.why.output_held = g.why.output * (t->terms.reserve_burndown ? t->terms.burndown : 1);
    const bool whole = c.tokens == t->pool->largest();  // held at the whole limit, which is less
    g.why.input_held = whole ? t->estimator->held_input(call->asked.input)
                             : c.tokens - std::min(c.tokens, g.why.output_held);
    g.right_sized = call->attempt.right_sized;
    g.substituted = place.candidate.substituted;
    g.degraded = place.candidate.degraded;
    g.fallback = place.group > 0;
    g.output_burndown = t->pool->apart() ? 0 : t->terms.burndown;
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
        Slot* slot = Waiting::next(*target);
        if (slot == nullptr) {
            agenda_.disarm(target->timer);
            ask_for_room(target, now);
            return;
        }
        target->breaker.ask_for(slot->lane->client->key, now);
        const Instant open_at = may_send_at(target, now);
        if (open_at > now) {
            agenda_.arm(target->timer, open_at);
            if (target->breaker.open(now) || target->breaker.gated(now)) {
                rescue(slot->lane->path, now);
                if (target->breaker.allows(now)) {
                    continue;
                }
            }
            if (target->breaker.accused_only_by(slot->lane->client->key) &&
                Agenda::armed(target->timer)) {
                waiting_.set_aside(*slot, target->timer.at);  // it is open to the others behind
                continue;
            }
            return;
        }
        Lane* lane = slot->lane;
        CallRecord* call = lane->head;
        const std::size_t index = slot->index;
        if (!probes_at_once(call, target, now)) {
            waiting_.set_aside(*slot, target->breaker.may_probe_at(call->asked.witness,
                                                                   call->history != nullptr, now));
            continue;
        }
        const Amount c = held_cost(*call, *target, index);
        const bool own = Accounts::own_limit(*lane->client, c, now) != LimitKind::none;
        if (own) {
            call = backfill(target, slot, true, now);
            if (call == nullptr) {
                park(lane, Accounts::own_free_at(*lane->client, c, now), now);
                ask_for_own_room(lane->client, now);
                continue;
            }
        }
        if (!own && !Accounts::pool_takes(*target, c, now)) {
            call = backfill(target, slot, false, now);
            if (call == nullptr) {
                const bool by_others = target->pool->awaits_grant(c);
                agenda_.arm(target->timer, by_others && target->pool->paused_until() <= now
                                               ? Instant::max()
                                               : target->pool->fits_at(c, now));
                ask_for_room(target, now);
                return;
            }
        }
        Waiting::served(*slot, *call);
        dequeue(call, now);
        const CallId id = call->id;
        woken.push_back(Wake{id, grant(call, index, now)});
    }
    agenda_.dirty(target);
}

RefusalReason Engine::Impl::expiry_reason(const CallRecord* call, Instant now) const {
    for (const PathTarget& t : call->path->targets) {
        if (!t.state->held.closed(now) && !t.state->breaker.open(now)) {
            return RefusalReason::deadline;
        }
    }
    return all_closed(*call->path, now) ? RefusalReason::closed : RefusalReason::unavailable;
}

void Engine::Impl::on_timer(Timer& timer, Instant now, std::vector<Wake>& woken,
                            std::size_t limit) {
    agenda_.disarm(timer);
    switch (timer.kind) {
        case TimerKind::call: {
            auto* call = static_cast<CallRecord*>(timer.owner);
            if (call->state != CallState::waiting) {
                silent(call, now);
                break;
            }
            const CallId id = call->id;
            Refusal r = Accounts::refusal(expiry_reason(call, now), *call, 0);
            TargetState* t = call->path->targets.front().state;
            const Instant free = t->pool->fits_at(r.cost, now);
            r.retry_after = free == Instant::max() ? Duration::zero() : free - now;
            if (Accounts::own_limit(*call->client, held_cost(*call, *t, 0), now) !=
                LimitKind::none) {
                // Its client's own limit stood in its way, not the service's.
                r = Accounts::refusal(RefusalReason::client_limit, *call, 0);
                const Instant at =
                    Accounts::own_free_at(*call->client, held_cost(*call, *t, 0), now);
                r.retry_after = at == Instant::max() ? Duration::zero() : at - now;
            }
            if (call->history && call->history->last) {
                r.upstream = call->history->last;
            }
            if (r.reason == RefusalReason::deadline) {
                waiting_.note_turned_away(*call, *call->queued.lane, now);
            }
            dequeue(call, now);
            woken.push_back(Wake{id, finish(call, std::move(r), now)});
            break;
        }
        case TimerKind::lane:
            review(static_cast<Lane*>(timer.owner), now, woken, limit);
            break;
        case TimerKind::target:
            agenda_.dirty(static_cast<TargetState*>(timer.owner));
            break;
        case TimerKind::client:
            unpark(static_cast<ClientState*>(timer.owner), now);
            break;
    }
}

void Engine::Impl::advance(Instant now, std::vector<Wake>& woken) {
    now = tick(now);
    if (accounts_.purge_due()) {
        purge();
    }
    if (accounts_.overrides().next_end() <= now) {
        end_overrides(now);
    }
    const std::size_t limit = woken.size() + kWakesACall;
    while (!doomed_.empty() && woken.size() < limit) {
        auto [id, refusal] = std::move(doomed_.back());
        doomed_.pop_back();
        if (CallRecord* call = calls_.find(id); call != nullptr && call->state == CallState::idle) {
            woken.push_back(Wake{id, finish(call, std::move(refusal), now)});
        }
    }
    for (;;) {
        // Whose time is over leaves before the room goes round: no grant past a deadline.
        Timer* due = nullptr;
        while (woken.size() < limit && (due = agenda_.due(now)) != nullptr) {
            on_timer(*due, now, woken, limit);
        }
        TargetState* target = woken.size() < limit ? agenda_.take_dirty() : nullptr;
        if (target == nullptr) {
            return;
        }
        dispatch(target, now, woken, limit);
    }
}

}  // namespace weir
