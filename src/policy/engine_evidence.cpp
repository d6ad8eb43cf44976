// What an outcome says about its target: to the breaker, of its fitness, about its quota.
#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
constexpr Duration kDayPause = std::chrono::minutes(15);
constexpr Duration kLongestDayPause = std::chrono::hours(4);
constexpr double kSecondsMoreOutput = 2;  // the service notices a client's leaving so much later
constexpr std::size_t kMostNotices = 100;

bool on_path(const Path& path, const TargetState* target) {
    return std::ranges::find(path.targets, target, &PathTarget::state) != path.targets.end();
}
}  // namespace

/// What the failure says about the target, as opposed to the call.
void Engine::Impl::judge_target(CallRecord* call, const Failure& failure, Instant now) {
    if (failure.blameless) {
        return;
    }
    TargetState* t = call->target;
    switch (failure.cls) {
        case FailureClass::quota_requests:
        case FailureClass::quota_tokens:
            t->breaker.alive(call->permit, now, call->witness);
            call->permit.epoch = kTold;
            break;
        case FailureClass::capacity:
        case FailureClass::server:
        case FailureClass::network:
        case FailureClass::timeout:
        case FailureClass::reset:
            tell_breaker(call, 1, false, now);
            break;
        case FailureClass::broken:
            tell_breaker(call, 1, true, now);
            break;
        case FailureClass::truncated:
            t->breaker.success(call->permit, now, call->witness);
            call->permit.epoch = kTold;
            break;
        case FailureClass::overloaded:
        case FailureClass::slow_model:
            tell_breaker(call, 0.5, false, now);
            break;
        case FailureClass::daily:
            if (t->daily_until <= now) {
                t->daily_pause = t->daily_pause == Duration::zero()
                                     ? kDayPause
                                     : std::min(t->daily_pause * 2, kLongestDayPause);
                t->daily_until = now + t->daily_pause;
            }
            t->daily_probing = true;
            refresh_waiting_for(t, now);
            break;
        case FailureClass::credentials:
        case FailureClass::caller:
            break;
    }
}

/// A call that has failed somewhere is no good probe.
bool Engine::Impl::probes_at_once(CallRecord* call, TargetState* target, Instant now) {
    return target->breaker.may_probe(call->witness, call->ordeal != nullptr, now);
}

/// A failure that may speak of the target or of the call. Of the call, if another target at which
/// it has failed is healthy: then what it said there is taken back as well.
void Engine::Impl::tell_breaker(CallRecord* call, double weight, bool broke, Instant now) {
    TargetState* t = call->target;
    if (!call->ordeal) {
        call->ordeal = std::make_unique<Ordeal>();
    }
    const bool was_healthy = t->breaker.healthy(now);
    bool failed_elsewhere = false;
    bool doubted = false;
    for (const Ordeal::Place& place : call->ordeal->places) {
        // After a reload the target may be gone.
        if (place.target == t || !place.failed || !on_path(*call->path, place.target)) {
            continue;
        }
        failed_elsewhere = true;
        doubted = doubted || place.target->breaker.healthy(now);
        if (was_healthy && place.target->breaker.take_back(call->witness.call, now)) {
            breaker_changed(place.target, now);
        }
    }
    const BreakerState before = t->breaker.state(now);
    if (broke && call->permit.epoch == kTold) {
        // Its success was told when the answer began.
        t->breaker.broke(random_, now, call->witness);
    } else {
        t->breaker.failure(call->permit, weight, random_, now, call->witness, doubted);
        call->permit.epoch = kTold;
    }
    call->ordeal->at(t).failed = true;
    if (failed_elsewhere && !doubted && !was_healthy) {
        t->breaker.believe(random_, now);
        for (const Ordeal::Place& place : call->ordeal->places) {
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
    dirty(target);
}

/// No first byte for so long that the target counts as failing, while the call still waits for it.
void Engine::Impl::silent(CallRecord* call, Instant now) {
    if (call->state == CallState::sent && call->permit.epoch != kTold) {
        tell_breaker(call, 1, false, now);
    }
}

/// The call goes on to another target, because this one refused it for what it is.
void Engine::Impl::note_misfit(CallRecord* call, const Failure& failure, TargetState* target,
                               Misfit kind, std::string_view name, Instant now) {
    ++skipped_[{target->target.region, target->target.model, "unfit"}];
    if (kind == Misfit::none || call->path->targets.size() < 2) {
        return;
    }
    bool speaks_of_call = false;
    for (Ordeal::Place& place : call->ordeal->places) {
        if (place.target != target && place.unfit && on_path(*call->path, place.target)) {
            place.target->unfit.take_back(call->witness.call);
            speaks_of_call = true;
        }
    }
    call->ordeal->at(target).unfit = lasts(kind);
    if (speaks_of_call) {
        return;
    }
    const std::string place = target->target.model + " in " + target->target.region;
    const auto notice = [&](std::string text) {
        if (notices_.size() < kMostNotices) {
            notices_.push_back(std::move(text));
        }
    };
    if (lasts(kind) && target->unfit.refused(call->witness, now)) {
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

/// What a call costs whose client left: the input, and the output so far and of two seconds more.
/// Output that nobody has seen is guessed at the pace of others, up to what is held.
Amount Engine::Impl::left_cost(const CallRecord* call, const std::optional<Usage>& seen,
                               const QuotaPool* pool, Instant now) const {
    const Estimator& e = *call->target->estimator;
    Usage usage = seen.value_or(Usage{});
    if (usage.known) {
        return settled_cost(call, usage, pool);
    }
    const Amount held{call->reservation.tokens, call->reservation.output};
    const double rate = e.output_rate();
    if (rate <= 0) {
        return held;
    }
    if (usage.input + usage.cache_write == 0) {
        usage.input = e.held_input(call->input);
    }
    const Amount certain = settled_cost(call, usage, pool);
    const double so_far =
        std::max(static_cast<double>(usage.output), rate * to_seconds(now - call->sent_at));
    usage.output =
        std::min(call->sent_output, static_cast<std::uint64_t>(so_far + rate * kSecondsMoreOutput));
    const Amount guess = settled_cost(call, usage, pool);
    return {std::max(certain.tokens, std::min(guess.tokens, held.tokens)),
            std::max(certain.output, std::min(guess.output, held.output))};
}

void Engine::Impl::leave_early(CallRecord* call, const std::optional<Usage>& seen, Instant now) {
    TargetState* t = call->target;
    if (call->state != CallState::granted && t->leavers.give_back(now)) {
        t->pool->tick(now);
        const std::uint64_t held = call->reservation.tokens;
        for (Reservation* r : {&call->reservation, &call->client_reservation}) {
            if (r->pool != nullptr) {
                const Amount actual = left_cost(call, seen, r->pool, now);
                if (r == &call->reservation) {
                    charge(call->flow, share_of(*t->pool, actual) - call->charged);
                    if (actual.tokens < held) {
                        t->leavers.gave_back(held - actual.tokens, t->pool->window(), now);
                    }
                }
                r->pool->tick(now);
                r->pool->settle(*r, actual, now);
            }
        }
        return;
    }
    Failure left;
    left.stage = call->state == CallState::granted ? Stage::not_sent : Stage::sent;
    left.cls = call->state == CallState::granted ? FailureClass::network : FailureClass::timeout;
    left.seen = seen;
    end_attempt(call, left, now);
}

}  // namespace weir
