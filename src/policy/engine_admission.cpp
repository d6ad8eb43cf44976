// What can be said the moment a call arrives: what it costs, whether it may go, whether it ever
// will.
#include <algorithm>
#include <cmath>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
// A thinking budget must be below max_tokens, and the answer needs room beside it.
constexpr std::uint64_t kBesideThinking = 1024;
}  // namespace

/// The max_tokens a call goes with, limits applied. An unknown family's body cannot be given a
/// number that it has not.
std::uint64_t Engine::Impl::allowed_output(const CallRecord* call, const TargetState* target,
                                           std::size_t index) const {
    std::uint64_t most = call->max_output.value_or(target->facts.max_output);
    if (call->max_output && call->path->targets[index].candidate.degraded && target->facts.known) {
        most = std::min(most, target->facts.max_output);
    }
    if (call->max_output || call->path->key.converse || target->facts.family != Family::unknown) {
        most = std::min(most, call->path->max_output.value_or(most));
        most = std::min(most, call->client->max_output.value_or(most));
    }
    return most;
}

/// What is sent and held: as allowed, or less where the route is right-sized and answers like this
/// one have turned out to need less.
std::uint64_t Engine::Impl::max_output(const CallRecord* call, const TargetState* target,
                                       std::size_t index) const {
    const std::uint64_t most = allowed_output(call, target, index);
    if (!call->path->right_size || call->full_output ||
        (!call->max_output && !call->path->key.converse &&
         target->facts.family == Family::unknown)) {
        return most;
    }
    const auto enough = target->estimator->enough_output(call->output_kind);
    if (!enough) {
        return most;
    }
    const std::uint64_t thinking =
        call->thinking_budget > 0 ? call->thinking_budget + kBesideThinking : 0;
    return std::min(most, std::max(*enough, thinking));
}

std::uint64_t Engine::Impl::cheapest(const CallRecord* call, const TargetState* target,
                                     std::size_t index) const {
    const std::uint64_t factor = target->reserve_burndown ? target->burndown : 1;
    return target->estimator->cheapest_input(call->input) +
           max_output(call, target, index) * factor;
}

Amount Engine::Impl::cost(const CallRecord* call, const TargetState* target,
                          std::size_t index) const {
    const std::uint64_t factor = target->reserve_burndown ? target->burndown : 1;
    const std::uint64_t most = max_output(call, target, index);
    const QuotaPool& pool = *target->pool;
    Amount full(target->estimator->held_input(call->input) + most * factor);
    // A call near the whole limit is held at the limit: it gets its turn when nothing else runs.
    full.tokens = std::min(full.tokens, pool.largest().value_or(full.tokens));
    if (pool.apart()) {
        // What it will write, not what it may: the service cuts it short only if it writes more.
        const auto enough = target->estimator->enough_output(call->output_kind);
        full.output = call->full_output ? most : std::min(most, enough.value_or(most));
        full.output = std::min(full.output, pool.largest_output().value_or(full.output));
    }
    return full;
}

Instant Engine::Impl::latest_start(const CallRecord* call, Instant now) const {
    const Duration slow = call->path->targets.front().state->estimator->slow_service(call->stream);
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
        return refusal(RefusalReason::no_target, call, 0);
    }
    if (now >= call->deadline) {
        return refusal(RefusalReason::deadline, call, 0);
    }
    if (call->attempts >= std::max(retry_.max_attempts, 1U)) {
        return refusal(RefusalReason::attempts_exhausted, call, 0);
    }
    const auto too_large = [&](const QuotaPool& pool, std::size_t i) {
        const auto most = pool.hard_limit();
        return most && cheapest(call, targets[i].state, i) > *most;
    };
    bool fits_somewhere = false;
    for (std::size_t i = 0; i < targets.size(); ++i) {
        fits_somewhere = fits_somewhere || !too_large(*targets[i].state->pool, i);
        if (passed_over(*call->path, targets[i].state, call->client, now)) {
            ++skipped_[{targets[i].state->target.region, targets[i].state->target.model,
                        "misconfigured"}];
        }
    }
    const bool own_too_small = call->client->limits && too_large(*call->client->limits, 0);
    if (!fits_somewhere || own_too_small) {
        Refusal r = refusal(RefusalReason::never_fits, call, 0);
        const QuotaPool& pool = own_too_small ? *call->client->limits : *targets[0].state->pool;
        r.cost = cheapest(call, targets[0].state, 0);
        r.limit_kind = pool.meter(LimitKind::tokens).kind();
        const auto tokens = pool.meter(LimitKind::tokens).limit();
        const auto daily = pool.meter(LimitKind::daily_tokens).limit();
        if (!tokens || (daily && *daily < *tokens)) {
            r.limit_kind = LimitKind::daily_tokens;
        }
        r.limit = pool.meter(r.limit_kind).limit().value_or(0);
        r.used = pool.meter(r.limit_kind).used();
        if (own_too_small) {
            r.model = "this client";
            r.region.clear();
        }
        return r;
    }
    rescue(call->path, now);
    return std::nullopt;
}

/// May the call go to this target this instant? `overtaking`: a repeat, which waits behind nobody.
/// `spilling`: whatever earlier targets could do.
bool Engine::Impl::try_grant(CallRecord* call, std::size_t index, Instant now, bool overtaking,
                             bool spilling) {
    TargetState* t = call->path->targets[index].state;
    const std::size_t cls = static_cast<std::size_t>(call->priority);
    if (!overtaking) {
        for (std::size_t c = 0; c <= cls; ++c) {
            if (!t->classes[c].heads.empty()) {
                return false;
            }
        }
        for (std::size_t c = cls + 1; c < kPriorities; ++c) {
            const ClassQueue& q = t->classes[c];
            if (q.heads.empty()) {
                continue;
            }
            const Slot& head = *q.heads.top();
            if (q.owed >= static_cast<double>(cost(head.lane->head, t, head.index).tokens)) {
                return false;
            }
        }
    }
    // A later target only when no earlier one is expected to take the call in time.
    if (!overtaking && !spilling && call->path->targets[index].group != 0 &&
        eligible_at(lane_for(call), index, now) > now) {
        return false;
    }
    t->breaker.ask_for(call->client->key, now);
    if (may_send_at(t, now) > now || !probes_at_once(call, t, now) ||
        passed_over(*call->path, t, call->client, now)) {
        return false;
    }
    t->pool->tick(now);
    const Amount c = cost(call, t, index);
    if (t->pool->paused_until() > now || t->pool->blocked_by(c) != LimitKind::none) {
        return false;
    }
    if (own_limit(call->client, c, now) != LimitKind::none) {
        return false;
    }
    return true;
}

/// When the call's turn at a target is expected, in settled cost, behind what stands before it.
Instant Engine::Impl::turn(const CallRecord* call, const Slot& slot, bool queued,
                           Instant now) const {
    const TargetState* t = slot.target;
    double ahead = 0;
    double ahead_calls = 0;
    for (std::size_t c = 0; c < slot.flow->cls; ++c) {
        ahead += t->classes[c].backlog;
        ahead_calls += t->classes[c].backlog_calls;
    }
    const ClassQueue& q = t->classes[slot.flow->cls];
    if (!queued) {
        const auto [others, other_calls] = before_flow(slot.flow, slot.flow->backlog);
        ahead += others + slot.flow->backlog;
        ahead_calls += other_calls + slot.flow->backlog_calls;
    } else if (!q.heads.empty() && q.heads.top() != &slot) {
        // Already at the head of its lane: at most one call of each other lane goes before it.
        const double others = std::min<double>(static_cast<double>(q.heads.size()), q.waiting);
        ahead_calls += others;
        ahead += q.waiting > 0 ? q.backlog / std::max(1.0, q.backlog_calls) * others : 0;
    }
    return turn_behind(slot, ahead, ahead_calls,
                       static_cast<double>(cost(call, t, slot.index).tokens), now);
}

/// When a call that holds `own` tokens is expected to go, behind calls that settle at `tokens`.
Instant Engine::Impl::turn_behind(const Slot& slot, double tokens, double calls, double own,
                                  Instant now) const {
    const TargetState* t = slot.target;
    const QuotaPool& pool = *t->pool;
    const Estimator& e = *t->estimator;
    const double reserved = static_cast<double>(pool.meter(LimitKind::tokens).reserved());
    const double unused = e.answers() > 0 && e.mean_reserved() > 0
                              ? std::clamp(1 - e.mean_settled() / e.mean_reserved(), 0.0, 1.0)
                              : 0.0;
    Instant at = std::max(now, pool.paused_until());
    at = std::max(at, pool.meter(LimitKind::tokens)
                          .turn_at(tokens + own, reserved * unused, e.mean_service_seconds(), now));
    at = std::max(at, pool.meter(LimitKind::requests).turn_at(calls + 1, 0, 0, now));
    at = std::max(at, pool.meter(LimitKind::daily_tokens).turn_at(own, 0, 0, now));
    if (const Meter* output = pool.output()) {
        at = std::max(at, output->turn_at((calls + 1) * e.mean_output(), 0, 0, now));
    }
    if (t->max_in_flight) {
        at = std::max(at, in_flight_turn(pool_in_flight(t), *t->max_in_flight, calls, e, now));
    }
    return at;
}

/// Refusals by estimate: its turn would come too late. Said now, while the client can still do
/// something else with the time.
std::optional<Refusal> Engine::Impl::hopeless(CallRecord* call, Instant now) {
    const Instant latest = latest_start(call, now);
    const auto& targets = call->path->targets;
    Lane* lane = lane_for(call);
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
        const Instant day_free =
            std::max(t->daily_until,
                     t->pool->meter(LimitKind::daily_tokens).fits_at(cost(call, t, i).tokens, now));
        day = std::min(day, day_free);
        all_days_gone = all_days_gone && day_free > latest;
        if (t->breaker.open(now)) {
            reopens = std::min(reopens, t->breaker.opens_until());
        } else {
            all_open = false;
        }
        backlog = backlog || lane->slots[i].flow->waiting > 0;
        if (passed_over(*call->path, t, call->client, now) || day_free > latest ||
            t->breaker.open(now)) {
            continue;
        }
        const Instant at = turn(call, lane->slots[i], false, now);
        in_time = in_time || at <= let_in_until(lane->slots[i].flow, latest, now);
        if (at < best) {
            best = at;
            best_index = i;
        }
    }
    const auto refuse = [&](RefusalReason reason, Instant until, std::size_t index) {
        Refusal r = refusal(reason, call, index);
        r.retry_after =
            until == Instant::max() ? Duration::zero() : std::max(until - now, Duration(1));
        return r;
    };
    if (all_days_gone) {
        return refuse(RefusalReason::daily_quota, day, 0);
    }
    if (all_open && reopens > latest) {
        return refuse(RefusalReason::unavailable, reopens, 0);
    }
    if (backlog && !in_time && best != Instant::max()) {
        note_turned_away(call, lane, now);
        return refuse(RefusalReason::quota, best, best_index);
    }
    if (auto no = own_limit_too_late(call, latest, now)) {
        return no;
    }
    // Last, for it may turn another call out.
    if (!make_room(call, now)) {
        return refuse(RefusalReason::queue_full, best, best_index);
    }
    return std::nullopt;
}

}  // namespace weir
