// How attempts end, and what follows from it.
#include <algorithm>

#include "policy/class_rules.h"
#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

/// The attempt is over at its target: counters only, the reservation has been ended before.
void Engine::Impl::leave_target(CallRecord* call, Instant now) {
    TargetState* t = call->attempt.target;
    if (call->attempt.daily_probe) {
        call->attempt.daily_probe = false;
        t->day.probe_out = false;
    }
    if (call->attempt.permit.epoch != kTold) {
        t->breaker.give_back(call->attempt.permit, now);
    }
    agenda_.disarm(call->timer);
    const bool region_was_full = t->region->in_flight >= config_.pool.max_connections;
    accounts_.leave(*call);
    if (region_was_full) {
        for (TargetState* other : t->region->targets) {
            agenda_.dirty(other);
        }
    }
    agenda_.dirty(t);
    for (TargetState* other : t->pool->targets) {
        agenda_.dirty(other);
    }
    call->state = CallState::idle;
    Waiting::release(*call);
    if (!call->client->queue.parked.empty()) {
        unpark(call->client, now);
    }
}

Decision Engine::Impl::final_error(CallRecord* call, const Failure& failure, RefusalReason reason,
                                   Instant now) {
    Refusal r = Accounts::refusal(reason, *call, call->attempt.index);
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
        const History::Place* place = call->history ? call->history->find(t.state) : nullptr;
        return !passed_over(*call->path, t.state, call->client, now_) &&
               t.state->day.until <= call->deadline &&
               !(t.state->held.closed(now_) && t.state->held.until > call->deadline) &&
               (place == nullptr || !place->barred);
    });
}

std::optional<Grant> Engine::Impl::grant_anywhere(CallRecord* call, Instant now) {
    for (std::size_t i = 0; i < call->path->targets.size(); ++i) {
        TargetState* t = call->path->targets[i].state;
        const History::Place* place = call->history ? call->history->find(t) : nullptr;
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
        (call->asked.stream && !(call->history != nullptr && call->history->repeated_doubtful));
    if (!allowed || call->attempts >= retry_.max_attempts) {
        return false;
    }
    return std::ranges::any_of(call->path->targets, [&](const PathTarget& t) {
        const History::Place* place = call->history ? call->history->find(t.state) : nullptr;
        return t.state != call->attempt.target && !closed(t.state, now) &&
               !passed_over(*call->path, t.state, call->client, now) &&
               (place == nullptr || !place->barred);
    });
}

/// Another target at once; else the queue, until a place may be tried again.
Decision Engine::Impl::go_elsewhere(CallRecord* call, const Failure& failure, bool unfit,
                                    Instant now) {
    const std::optional<Failure>& first = call->history->first;
    const Failure& told = unfit && first ? *first : failure;
    if (!anywhere_left(call)) {
        if (rule_of(failure.cls).course == Course::next_day) {
            Refusal r = Accounts::refusal(RefusalReason::daily_quota, *call, call->attempt.index);
            Instant until = Instant::max();
            for (const PathTarget& t : call->path->targets) {
                until = std::min(until, std::max(now, t.state->day.until));
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
    History::Place& place = call->history->at(failed);
    if (!place.barred) {
        const Duration pause = backoff(retry_, call->history->repeats, random_);
        place.not_before = now + std::max(pause, failure.retry_after.value_or(Duration::zero()));
    }
    ++call->history->repeats;
    // The budget is against storms on a place that fails. The first send to a place not tried yet
    // is none.
    const auto untried = [&](const PathTarget& other) {
        return call->history->find(other.state) == nullptr && !closed(other.state, now);
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
    const Instant soonest = Accounts::fits_somewhere_at(*call, now);
    if (now >= call->deadline || (soonest != Instant::max() && soonest > call->deadline)) {
        Refusal r = Accounts::refusal(RefusalReason::quota, *call, call->attempt.index);
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
    CallRecord* call = calls_.find(id);
    if (call == nullptr || call->state == CallState::waiting || call->state == CallState::idle) {
        Refusal unknown;
        unknown.reason = RefusalReason::upstream_error;
        unknown.upstream = failure;
        return unknown;
    }
    const bool begun = call->state == CallState::begun || failure.stage == Stage::begun ||
                       rule_of(failure.cls).served == Served::in_part;
    Failure seen = failure;
    if (begun) {
        seen.stage = Stage::begun;
        seen.cls = FailureClass::broken;
    }
    TargetState* t = call->attempt.target;
    const ClassRule& rule = rule_of(seen.cls);
    if (rule.served == Served::whole) {
        Accounts::accepted(*call, now);
        Accounts::learn_output(*call, failure.seen.value_or(Usage{}));
    }
    Waiting::correct(*call, Accounts::failed(*call, seen, random_, now));
    judge_target(call, seen, now);
    const Trouble trouble = trouble_of(call, seen);
    leave_target(call, now);
    return follow(call, next_step(trouble), failure, t, name, now);
}

Trouble Engine::Impl::trouble_of(const CallRecord* call, const Failure& failure) const {
    Trouble trouble;
    trouble.cls = failure.cls;
    trouble.stage = failure.stage;
    trouble.blameless = failure.blameless;
    if (rule_of(failure.cls).course == Course::hand_back) {
        trouble.misfit = misfit(failure);
    }
    trouble.first_target = call->attempt.target == call->first_target;
    trouble.other_account = std::ranges::any_of(call->path->targets, [&](const PathTarget& other) {
        return other.state->target.account != call->attempt.target->target.account;
    });
    trouble.stream = call->asked.stream;
    trouble.repeat_timeouts = retry_.repeat_timeouts;
    if (call->history) {
        trouble.repeated_doubtful = call->history->repeated_doubtful;
        trouble.refreshed = call->history->refreshed;
        if (const History::Place* place = call->history->find(call->attempt.target)) {
            trouble.server_failures = place->server_failures;
        }
    }
    return trouble;
}

/// The next step, as far as room, time and budget allow it.
Decision Engine::Impl::follow(CallRecord* call, NextStep step, const Failure& failure,
                              TargetState* failed, std::string_view name, Instant now) {
    if (step.next == Next::wait_for_quota) {
        refresh_waiting_for(failed, now);
    }
    if (step.next == Next::ask_again) {
        return after_truncation(call, failure, now);
    }
    if (step.next == Next::end) {
        return final_error(call, failure, RefusalReason::upstream_error, now);
    }
    if (auto no = ordered_off(call, now)) {  // since it was sent
        return finish(call, std::move(*no), now);
    }
    if (step.next == Next::wait_for_quota) {
        return after_quota(call, failure, now);
    }
    if (!call->history) {
        call->history = std::make_unique<History>();
    }
    History& history = *call->history;
    if (!history.first) {
        history.first = failure;
    }
    history.last = failure;
    history.repeated_doubtful = history.repeated_doubtful || step.doubtful;
    const Course course = rule_of(failure.cls).course;
    if (step.unfit) {
        note_misfit(call, failure, failed, misfit(failure), name, now);
    }
    if (step.bar) {
        history.at(failed).barred = true;
    }
    if (course == Course::repeat_twice) {
        ++history.at(failed).server_failures;
    } else if (course == Course::next_day) {
        history.at(failed).not_before = failed->day.until;
    }
    switch (step.next) {
        case Next::repeat:
            return repeat(call, failure, now);
        case Next::same_again:
            history.refreshed = true;
            --call->attempts;  // it says nothing about the call or the target
            if (call->attempt.index < call->path->targets.size() &&
                try_grant(call, call->attempt.index, now, true)) {
                return grant(call, call->attempt.index, now);
            }
            break;
        case Next::elsewhere:
        case Next::wait_for_quota:
        case Next::ask_again:
        case Next::end:
            break;
    }
    return go_elsewhere(call, failure, step.unfit, now);
}

void Engine::Impl::settle(CallId id, const Usage& usage, Instant now) {
    now = tick(now);
    CallRecord* call = calls_.find(id);
    if (call == nullptr || call->state == CallState::waiting || call->state == CallState::idle) {
        return;
    }
    if (call->state != CallState::begun) {
        began(id, now);
    }
    TargetState* t = call->attempt.target;
    Waiting::correct(*call, Accounts::settle(*call, usage, now));
    if (usage.known && (usage.cache_read > 0 || usage.cache_write > 0)) {
        cache_homes_.remember(call->asked.input.conversation, t->number, now);
    }
    invocations_.forget(call->client->name, call->asked.invocation);
    leave_target(call, now);
    end(call);
}

void Engine::Impl::cancel(CallId id, std::optional<Usage> so_far, Instant now) {
    now = tick(now);
    CallRecord* call = calls_.find(id);
    if (call == nullptr) {
        return;
    }
    if (call->state == CallState::waiting) {
        dequeue(call, now);
    } else if (call->state != CallState::idle) {
        Waiting::correct(*call, Accounts::left(*call, so_far, random_, now));
        leave_target(call, now);
    }
    note_invocation(call, nullptr, now);
    end(call);
}

}  // namespace weir
