// What an outcome says about its target: to the breaker, of its fitness, about its quota.
#include <algorithm>

#include "policy/class_rules.h"
#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
constexpr Duration kDayPause = std::chrono::minutes(15);
constexpr Duration kLongestDayPause = std::chrono::hours(4);

bool on_path(const Path& path, const TargetState* target) {
    return std::ranges::find(path.targets, target, &PathTarget::state) != path.targets.end();
}
}  // namespace

/// What the failure says about the target, as opposed to the call.
void Engine::Impl::judge_target(CallRecord* call, const Failure& failure, Instant now) {
    if (failure.blameless) {
        return;
    }
    TargetState* t = call->attempt.target;
    const ClassRule& rule = rule_of(failure.cls);
    switch (rule.verdict) {
        case Verdict::alive:
            t->breaker.alive(call->attempt.permit, now, call->asked.witness);
            call->attempt.permit.epoch = kTold;
            break;
        case Verdict::success:
            t->breaker.success(call->attempt.permit, now, call->asked.witness);
            call->attempt.permit.epoch = kTold;
            break;
        case Verdict::failure:
            tell_breaker(call, 1, false, now);
            break;
        case Verdict::half_failure:
            tell_breaker(call, 0.5, false, now);
            break;
        case Verdict::broke:
            tell_breaker(call, 1, true, now);
            break;
        case Verdict::nothing:
            break;
    }
    if (rule.course == Course::next_day) {
        if (t->day.until <= now) {
            t->day.pause = t->day.pause == Duration::zero()
                               ? kDayPause
                               : std::min(t->day.pause * 2, kLongestDayPause);
            t->day.until = now + t->day.pause;
        }
        t->day.probing = true;
        refresh_waiting_for(t, now);
    }
}

/// A call that has failed somewhere is no good probe.
bool Engine::Impl::probes_at_once(CallRecord* call, TargetState* target, Instant now) {
    return target->breaker.may_probe(call->asked.witness, call->history != nullptr, now);
}

/// A failure that may speak of the target or of the call. Of the call, if another target at which
/// it has failed is healthy: then what it said there is taken back as well.
void Engine::Impl::tell_breaker(CallRecord* call, double weight, bool broke, Instant now) {
    TargetState* t = call->attempt.target;
    if (!call->history) {
        call->history = std::make_unique<History>();
    }
    const bool was_healthy = t->breaker.healthy(now);
    bool failed_elsewhere = false;
    bool doubted = false;
    for (const History::Place& place : call->history->places) {
        // After a reload the target may be gone.
        if (place.target == t || !place.failed || !on_path(*call->path, place.target)) {
            continue;
        }
        failed_elsewhere = true;
        doubted = doubted || place.target->breaker.healthy(now);
        if (was_healthy && place.target->breaker.take_back(call->asked.witness.call, now)) {
            breaker_changed(place.target, now);
        }
    }
    const BreakerState before = t->breaker.state(now);
    if (broke && call->attempt.permit.epoch == kTold) {
        // Its success was told when the answer began.
        t->breaker.broke(random_, now, call->asked.witness);
    } else {
        t->breaker.failure(call->attempt.permit, weight, random_, now, call->asked.witness,
                           doubted);
        call->attempt.permit.epoch = kTold;
    }
    call->history->at(t).failed = true;
    if (failed_elsewhere && !doubted && !was_healthy) {
        t->breaker.believe(random_, now);
        for (const History::Place& place : call->history->places) {
            if (place.target != t && place.failed && on_path(*call->path, place.target)) {
                const BreakerState others = place.target->breaker.state(now);
                place.target->breaker.believe(random_, now);
                if (place.target->breaker.state(now) != others) {
                    breaker_changed(place.target, now);
                }
            }
        }
    }
    if (t->breaker.state(now) != before) {
        breaker_changed(t, now);
    }
}

void Engine::Impl::breaker_changed(TargetState* target, Instant now) {
    refresh_waiting_for(target, now);
    agenda_.dirty(target);
}

/// No first byte for so long that the target counts as failing, while the call still waits for it.
void Engine::Impl::silent(CallRecord* call, Instant now) {
    if (call->state == CallState::sent && call->attempt.permit.epoch != kTold) {
        tell_breaker(call, 1, false, now);
    }
}

/// The call goes on to another target, because this one refused it for what it is.
void Engine::Impl::note_misfit(CallRecord* call, const Failure& failure, TargetState* target,
                               Misfit kind, std::string_view name, Instant now) {
    if (call->path->routed) {  // a model without a route is its caller's choice
        accounts_.count_skipped(*target, "unfit");
    }
    if (kind == Misfit::none || call->path->targets.size() < 2) {
        return;
    }
    bool speaks_of_call = false;
    for (History::Place& place : call->history->places) {
        if (place.target != target && place.unfit && on_path(*call->path, place.target)) {
            place.target->unfit.take_back(call->asked.witness.call);
            speaks_of_call = true;
        }
    }
    call->history->at(target).unfit = lasts(kind);
    if (speaks_of_call) {
        return;
    }
    const std::string& account = target->target.account;
    const std::string place = target->target.model + " in " + target->target.region +
                              (account.empty() ? "" : " of account " + account);
    if (lasts(kind) && target->unfit.refused(call->asked.witness, now)) {
        target->unfit.set_cause({describe(failure), std::string(name), call->client->name});
        notice(place + " is passed over for 5 minutes" +
               (target->unfit.for_everybody() ? std::string()
                                              : " for client \"" + call->client->name + "\"") +
               ", because calls agree that it does not serve them: " + describe(failure));
        refresh_waiting_for(target, now);
    } else if (target->unfit.worth_a_line(kind, now)) {
        notice(place +
               " refused a call, which went on to the route's other targets: " + describe(failure));
    }
}

}  // namespace weir
