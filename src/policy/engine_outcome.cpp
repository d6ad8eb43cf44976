// How attempts end, and what follows from it.
#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {

constexpr std::uint32_t kServerSends = 2;

bool is_quota(FailureClass cls) {
    return cls == FailureClass::quota_requests || cls == FailureClass::quota_tokens;
}

/// The service may have served it, so what is held stays held.
bool may_be_paid(const Failure& failure) {
    if (failure.cls == FailureClass::broken || failure.stage == Stage::begun) {
        return true;
    }
    return failure.stage == Stage::sent &&
           (failure.cls == FailureClass::timeout || failure.cls == FailureClass::reset);
}

std::uint64_t clamped(std::uint64_t tokens) {
    return std::min(tokens, kMostTokens);
}

}  // namespace

/// By the pool that holds the reservation: a client's own limit has one meter, whatever the service
/// has.
Amount Engine::Impl::settled_cost(const CallRecord* call, const Usage& usage,
                                  const QuotaPool* pool) {
    const std::uint64_t input = clamped(usage.input) + clamped(usage.cache_write);
    const std::uint64_t output = clamped(usage.output);
    return pool->apart() ? Amount(input, output) : Amount(input + output * call->target->burndown);
}

/// The attempt is over at its target: counters only, the reservation has been ended before.
void Engine::Impl::leave_target(CallRecord* call, Instant now) {
    TargetState* t = call->target;
    if (call->daily_probe) {
        call->daily_probe = false;
        t->daily_probe_out = false;
    }
    if (call->permit.epoch != kTold) {
        t->breaker.give_back(call->permit, now);
    }
    disarm(call->timer);
    const bool region_was_full = t->region->in_flight >= config_.pool.max_connections;
    --t->in_flight;
    --t->region->in_flight;
    --call->client->in_flight;
    --in_flight_;
    if (region_was_full) {
        for (TargetState* other : t->region->targets) {
            dirty(other);
        }
    }
    dirty(t);
    for (TargetState* other : t->siblings) {
        dirty(other);
    }
    Flow* flow = call->flow;
    call->flow = nullptr;
    call->target = nullptr;
    call->last_target = t;
    call->state = CallState::idle;
    release_flow(flow);
    if (!call->client->parked.empty()) {
        unpark(call->client, now);
    }
}

void Engine::Impl::end_attempt(CallRecord* call, const Failure& failure, Instant now) {
    const auto each = [&](auto&& act) {
        if (call->reservation.pool != nullptr) {
            act(call->reservation);
        }
        if (call->client_reservation.pool != nullptr) {
            act(call->client_reservation);
        }
    };
    call->target->pool->tick(now);
    if (call->client->limits) {
        call->client->limits->tick(now);
    }
    if (failure.cls == FailureClass::truncated) {
        each([&](Reservation& r) {
            r.pool->settle(r,
                           failure.seen ? settled_cost(call, *failure.seen, r.pool)
                                        : Amount(r.tokens, r.output),
                           now);
        });
        return;
    }
    if (!may_be_paid(failure) &&
        (failure.stage == Stage::not_sent || failure.cls == FailureClass::network)) {
        each([&](Reservation& r) { r.pool->give_back_all(r, now); });
        charge(call->flow, -call->charged);
    } else if (may_be_paid(failure)) {
        each([&](Reservation& r) {
            r.pool->keep(r, failure.seen ? settled_cost(call, *failure.seen, r.pool) : Amount(),
                         now);
        });
    } else {
        if (is_quota(failure.cls)) {
            const bool requests = failure.cls == FailureClass::quota_requests;
            if (const auto limit = call->reservation.pool->hard_limit(); limit && !requests) {
                const Meter& tokens = call->reservation.pool->meter(LimitKind::tokens);
                const std::uint64_t own = std::min(call->reservation.tokens, tokens.used());
                call->target->leavers.refused(tokens.used() - own, own, *limit, tokens.window(),
                                              now);
            }
            call->reservation.pool->refused(requests ? LimitKind::requests : LimitKind::tokens,
                                            call->reservation, failure.retry_after, random_, now);
        }
        each([&](Reservation& r) { r.pool->give_back_tokens(r, now); });
        charge(call->flow, -call->charged);
    }
}

Decision Engine::Impl::final_error(CallRecord* call, const Failure& failure, RefusalReason reason,
                                   Instant now) {
    Refusal r = refusal(reason, call, call->index);
    r.upstream = failure;
    r.limit_kind = LimitKind::none;
    r.limit = 0;
    r.used = 0;
    if (failure.retry_after) {
        r.retry_after = *failure.retry_after;
    }
    return finish(call, std::move(r), now);
}

bool Engine::Impl::anywhere_left(const CallRecord* call) const {
    return std::ranges::any_of(call->path->targets, [&](const PathTarget& t) {
        const Ordeal::Place* place = call->ordeal ? call->ordeal->find(t.state) : nullptr;
        return !passed_over(*call->path, t.state, call->client, now_) &&
               t.state->daily_until <= call->deadline && (place == nullptr || !place->barred);
    });
}

std::optional<Grant> Engine::Impl::grant_anywhere(CallRecord* call, Instant now) {
    for (std::size_t i = 0; i < call->path->targets.size(); ++i) {
        TargetState* t = call->path->targets[i].state;
        const Ordeal::Place* place = call->ordeal ? call->ordeal->find(t) : nullptr;
        if (place != nullptr && (place->barred || place->not_before > now)) {
            continue;
        }
        if (try_grant(call, i, now, true)) {
            return grant(call, i, now);
        }
    }
    return std::nullopt;
}

/// Would report() let the call go to another place if this attempt got no answer in time?
bool Engine::Impl::may_time_out(const CallRecord* call, Instant now) const {
    const bool allowed =
        retry_.repeat_timeouts ||
        (call->stream && !(call->ordeal != nullptr && call->ordeal->repeated_doubtful));
    if (!allowed || call->attempts >= retry_.max_attempts) {
        return false;
    }
    return std::ranges::any_of(call->path->targets, [&](const PathTarget& t) {
        const Ordeal::Place* place = call->ordeal ? call->ordeal->find(t.state) : nullptr;
        return t.state != call->target && !closed(t.state, now) &&
               !passed_over(*call->path, t.state, call->client, now) &&
               (place == nullptr || !place->barred);
    });
}

/// Another target at once; else the queue, until a place may be tried again.
Decision Engine::Impl::go_elsewhere(CallRecord* call, const Failure& failure, bool unfit,
                                    Instant now) {
    const std::optional<Failure>& first = call->ordeal->first;
    const Failure& told = unfit && first ? *first : failure;
    if (!anywhere_left(call)) {
        if (failure.cls == FailureClass::daily) {
            Refusal r = refusal(RefusalReason::daily_quota, call, call->index);
            Instant until = Instant::max();
            for (const PathTarget& t : call->path->targets) {
                until = std::min(until, std::max(now, t.state->daily_until));
            }
            r.retry_after = until - now;
            r.upstream = failure;
            return finish(call, std::move(r), now);
        }
        return final_error(call, told, RefusalReason::upstream_error, now);
    }
    if (call->attempts >= std::max(retry_.max_attempts, 1U) || now >= call->deadline ||
        call->waited >= config_.queue.max_wait) {
        return final_error(call, told, RefusalReason::attempts_exhausted, now);
    }
    if (auto g = grant_anywhere(call, now)) {
        return *g;
    }
    rescue(call->path, now);
    enqueue(call, true, now);
    return Wait{};
}

/// A repeat that the budget pays for.
Decision Engine::Impl::repeat(CallRecord* call, const Failure& failure, Instant now) {
    TargetState* failed = call->last_target;
    Ordeal::Place& place = call->ordeal->at(failed);
    if (!place.barred) {
        const Duration pause = backoff(retry_, call->ordeal->repeats, random_);
        place.not_before = now + std::max(pause, failure.retry_after.value_or(Duration::zero()));
    }
    ++call->ordeal->repeats;
    // The budget is against storms on a place that fails. The first send to a place not tried yet
    // is none.
    const auto untried = [&](const PathTarget& other) {
        return call->ordeal->find(other.state) == nullptr && !closed(other.state, now);
    };
    const bool elsewhere = std::ranges::any_of(call->path->targets, untried);
    if (!elsewhere && !failed->budget.spend(now)) {
        return final_error(call, failure, RefusalReason::attempts_exhausted, now);
    }
    return go_elsewhere(call, failure, false, now);
}

/// Once more, with the caller's own max_tokens; the driver keeps what it has in case that is too
/// late.
Decision Engine::Impl::after_truncation(CallRecord* call, const Failure& failure, Instant now) {
    call->full_output = true;
    if (call->path->targets.empty() ||  // a reload has left it nowhere to go
        call->attempts >= std::max(retry_.max_attempts, 1U) || now >= call->deadline) {
        return final_error(call, failure, RefusalReason::attempts_exhausted, now);
    }
    if (auto g = grant_anywhere(call, now)) {
        return *g;
    }
    enqueue(call, true, now);
    return Wait{};
}

Decision Engine::Impl::after_quota(CallRecord* call, const Failure& failure, Instant now) {
    --call->attempts;  // it waits for its turn: no error of the call or the target
    if (call->last_target->pool->refuses_all()) {
        for (const PathTarget& other : call->path->targets) {
            other.state->pool->expect_spell();
        }
    }
    if (call->path->targets.empty()) {
        return final_error(call, failure, RefusalReason::attempts_exhausted, now);
    }
    Instant soonest = Instant::max();
    for (std::size_t i = 0; i < call->path->targets.size(); ++i) {
        TargetState* t = call->path->targets[i].state;
        soonest = std::min(soonest, t->pool->fits_at(cost(call, t, i), now));
    }
    if (now >= call->deadline || (soonest != Instant::max() && soonest > call->deadline)) {
        Refusal r = refusal(RefusalReason::quota, call, call->index);
        r.retry_after = soonest == Instant::max() ? Duration::zero() : soonest - now;
        r.upstream = failure;
        return finish(call, std::move(r), now);
    }
    enqueue(call, true, now);
    return Wait{};
}

Decision Engine::Impl::report(CallId id, const Failure& failure, Instant now,
                              std::string_view name) {
    now = tick(now);
    CallRecord* call = find(id);
    if (call == nullptr || call->state == CallState::waiting || call->state == CallState::idle) {
        Refusal unknown;
        unknown.reason = RefusalReason::upstream_error;
        unknown.upstream = failure;
        return unknown;
    }
    const Stage stage = failure.stage;
    const bool begun = call->state == CallState::begun || failure.stage == Stage::begun ||
                       failure.cls == FailureClass::broken;
    Failure seen = failure;
    if (begun) {
        seen.stage = Stage::begun;
        seen.cls = FailureClass::broken;
    }
    TargetState* t = call->target;
    if (seen.cls == FailureClass::truncated) {
        call->reservation.pool->accepted(call->reservation, now);
        learn_output(call, failure.seen.value_or(Usage{}));
    }
    end_attempt(call, seen, now);
    judge_target(call, seen, now);
    const bool first_place = t == call->first_target;
    leave_target(call, now);
    if (begun) {
        return final_error(call, failure, RefusalReason::upstream_error, now);
    }
    if (is_quota(seen.cls)) {
        refresh_waiting_for(t, now);
        return after_quota(call, failure, now);
    }
    if (seen.cls == FailureClass::truncated) {
        return after_truncation(call, failure, now);
    }
    if (!call->ordeal) {
        call->ordeal = std::make_unique<Ordeal>();
    }
    Ordeal& ordeal = *call->ordeal;
    if (!ordeal.first) {
        ordeal.first = failure;
    }
    ordeal.last = failure;
    // What never left us was never served, whatever ended the wait for it.
    const bool doubtful = seen.cls == FailureClass::timeout || seen.cls == FailureClass::reset;
    if (doubtful && stage == Stage::not_sent) {
        seen.cls = FailureClass::network;
    }
    switch (seen.cls) {
        case FailureClass::daily:
            ordeal.at(t).not_before = t->daily_until;
            return go_elsewhere(call, failure, false, now);
        case FailureClass::capacity:
        case FailureClass::overloaded:
        case FailureClass::network:
            return failure.blameless ? go_elsewhere(call, failure, false, now)
                                     : repeat(call, failure, now);
        case FailureClass::server:
            ordeal.at(t).barred = ++ordeal.at(t).server_failures >= kServerSends;
            return repeat(call, failure, now);
        case FailureClass::timeout:
            if (!retry_.repeat_timeouts) {
                if (!call->stream || ordeal.repeated_doubtful) {
                    return final_error(call, failure, RefusalReason::upstream_error, now);
                }
                ordeal.at(t).barred = true;
            }
            ordeal.repeated_doubtful = true;
            return repeat(call, failure, now);
        case FailureClass::reset:
            if (ordeal.repeated_doubtful && !retry_.repeat_timeouts) {
                return final_error(call, failure, RefusalReason::upstream_error, now);
            }
            ordeal.repeated_doubtful = true;
            return repeat(call, failure, now);
        case FailureClass::credentials:
            if (ordeal.refreshed) {
                return final_error(call, failure, RefusalReason::upstream_error, now);
            }
            ordeal.refreshed = true;
            --call->attempts;  // it says nothing about the call or the target
            if (call->index < call->path->targets.size() &&
                try_grant(call, call->index, now, true)) {
                return grant(call, call->index, now);
            }
            return go_elsewhere(call, failure, false, now);
        case FailureClass::caller:
        case FailureClass::slow_model: {
            const Misfit kind = misfit(failure);
            if (kind == Misfit::none && first_place) {
                return final_error(call, failure, RefusalReason::upstream_error, now);
            }
            note_misfit(call, failure, t, kind, name, now);
            ordeal.at(t).barred = true;
            return go_elsewhere(call, failure, true, now);
        }
        case FailureClass::quota_requests:
        case FailureClass::quota_tokens:
        case FailureClass::broken:
        case FailureClass::truncated:
            break;
    }
    return final_error(call, failure, RefusalReason::upstream_error, now);
}

/// An answer that a lowered max_tokens cut short says only that it wanted more.
void Engine::Impl::learn_output(const CallRecord* call, const Usage& usage) {
    if (!usage.known) {
        return;
    }
    const bool cut = call->right_sized && usage.output >= call->sent_output;
    call->target->truncated += cut ? 1 : 0;
    call->target->estimator->learn_output(call->output_kind,
                                          cut ? 2 * call->sent_output : usage.output);
}

void Engine::Impl::settle(CallId id, const Usage& usage, Instant now) {
    now = tick(now);
    CallRecord* call = find(id);
    if (call == nullptr || call->state == CallState::waiting || call->state == CallState::idle) {
        return;
    }
    if (call->state != CallState::begun) {
        began(id, now);
    }
    TargetState* t = call->target;
    t->pool->tick(now);
    // After a reload the target may draw on another pool than the one that gave the reservation.
    for (Reservation* r : {&call->reservation, &call->client_reservation}) {
        if (r->pool != nullptr) {
            r->pool->settle(
                *r, usage.known ? settled_cost(call, usage, r->pool) : Amount(r->tokens, r->output),
                now);
        }
    }
    const bool closely = t->estimator->due(now);
    if (usage.known) {
        const Amount actual = settled_cost(call, usage, t->pool);
        t->estimator->learn_usage(call->input, usage, actual.tokens, closely);
        learn_output(call, usage);
        charge(call->flow, share_of(*t->pool, actual) - call->charged);
        if (usage.cache_read > 0 || usage.cache_write > 0) {
            cache_homes_.remember(call->input.conversation, t->number, now);
        }
    }
    t->estimator->learn_complete(now - call->sent_at, call->stream, closely);
    invocations_.forget(call->client->name, call->invocation);
    leave_target(call, now);
    end(call);
}

void Engine::Impl::cancel(CallId id, std::optional<Usage> so_far, Instant now) {
    now = tick(now);
    CallRecord* call = find(id);
    if (call == nullptr) {
        return;
    }
    if (call->state == CallState::waiting) {
        dequeue(call, now);
    } else if (call->state != CallState::idle) {
        leave_early(call, so_far, now);
        leave_target(call, now);
    }
    note_invocation(call, nullptr, now);
    end(call);
}

}  // namespace weir
