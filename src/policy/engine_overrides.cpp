// Orders of operators, and of alarms in their place.
#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
constexpr std::size_t kMostNotices = 300;  // as many orders may end at once, and some
}  // namespace

void Engine::Impl::notice(std::string text) {
    if (notices_.size() < kMostNotices) {
        notices_.push_back(std::move(text));
    }
}

bool Engine::Impl::by_order(RefusalReason reason) {
    return reason == RefusalReason::closed || reason == RefusalReason::shed ||
           reason == RefusalReason::paused;
}

/// Every target of the path is closed by an operator.
bool Engine::Impl::all_closed(const Path& path, Instant now) {
    return std::ranges::all_of(path.targets,
                               [&](const PathTarget& t) { return t.state->held.closed(now); });
}

/// Its client is paused, or its class is shed.
std::optional<Refusal> Engine::Impl::ordered_off(const CallRecord* call, Instant now) const {
    const Overrides& orders = accounts_.overrides();
    const auto refused_until = [&](RefusalReason reason, Instant until) {
        Refusal r = Accounts::refusal(reason, *call, 0);
        r.retry_after = until - now;
        return r;
    };
    if (const Instant until = orders.paused_until(call->client->name, now); until > now) {
        return refused_until(RefusalReason::paused, until);
    }
    if (const Instant until = orders.shed_until(call->asked.priority, now); until > now) {
        return refused_until(RefusalReason::shed, until);
    }
    return std::nullopt;
}

std::optional<Refusal> Engine::Impl::count_request(std::string_view client, Instant now) {
    now = tick(now);
    const Instant until = accounts_.overrides().paused_until(client, now);
    if (until <= now) {
        return accounts_.count_request(client, now);
    }
    Refusal r;
    r.reason = RefusalReason::paused;
    r.retry_after = until - now;
    return r;
}

/// The orders have changed: who waits looks again, and who waits in vain is told.
void Engine::Impl::heed_overrides(Instant now) {
    // What SDKs were refused by an order is decided anew.
    invocations_.forget_if([](const InvocationMemory::Entry& entry) {
        return entry.refusal && by_order(entry.refusal->reason);
    });
    for (TargetState* target : accounts_.read_overrides(now)) {
        if (target->held.any && target->held.hold == Hold::open) {
            target->unfit.fits();
            target->day.until = std::min(target->day.until, now);
        }
        agenda_.dirty(target);
    }
    for (CallRecord* call : calls_.all()) {
        if (call->state != CallState::waiting) {
            continue;
        }
        if (auto no = ordered_off(call, now)) {
            dequeue(call, now);
            doomed_.emplace_back(call->id, std::move(*no));
            continue;
        }
        Instant reopens = Instant::max();
        for (const PathTarget& t : call->path->targets) {
            reopens = std::min(reopens, t.state->held.closed(now) ? t.state->held.until : now);
        }
        if (reopens > call->timer.at) {  // its last moment
            Refusal r = Accounts::refusal(RefusalReason::closed, *call, 0);
            r.retry_after = reopens - now;
            dequeue(call, now);
            doomed_.emplace_back(call->id, std::move(r));
        }
    }
    for (ClientState* client : accounts_.all_clients()) {
        const std::vector<Lane*> lanes = client->queue.lanes;
        for (Lane* lane : lanes) {
            if (lane->head != nullptr) {
                refresh(lane, now);
            }
        }
    }
}

void Engine::Impl::end_overrides(Instant now) {
    for (std::string& line : accounts_.overrides().expire(now)) {
        notice(std::move(line));
    }
    heed_overrides(now);
}

bool Engine::Impl::hold(const Override& order, Instant now) {
    now = tick(now);
    const bool held = accounts_.overrides().hold(order, now);
    heed_overrides(now);
    return held;
}

std::size_t Engine::Impl::release(const TargetFilter& targets, std::string_view by, Instant now) {
    now = tick(now);
    const std::size_t released = accounts_.overrides().release(targets, by, now);
    heed_overrides(now);
    return released;
}

void Engine::Impl::shed(const Shedding& order, Instant now) {
    now = tick(now);
    accounts_.overrides().shed(order, now);
    heed_overrides(now);
}

bool Engine::Impl::pause(const Pause& order, Instant now) {
    now = tick(now);
    const bool paused = accounts_.overrides().pause(order, now);
    heed_overrides(now);
    return paused;
}

std::size_t Engine::Impl::trip(const TargetFilter& targets, Instant now) {
    now = tick(now);
    std::size_t tripped = 0;
    for (const auto& [key, target] : accounts_.targets()) {
        if (targets.matches(key) && target->breaker.raise(random_, now)) {
            ++tripped;
            breaker_changed(target.get(), now);
        }
    }
    return tripped;
}

void Engine::Impl::probe(const TargetFilter& targets, Instant now) {
    now = tick(now);
    for (const auto& [key, target] : accounts_.targets()) {
        if (targets.matches(key) && target->breaker.open(now)) {
            target->breaker.force_half_open(now);
            breaker_changed(target.get(), now);
        }
    }
}

}  // namespace weir
