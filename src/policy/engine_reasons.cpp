// Why a call waits, or goes where it goes, for those who ask later. Nothing is decided here.
#include <algorithm>
#include <cmath>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {

std::uint64_t rounded(double value) {
    return static_cast<std::uint64_t>(
        std::llround(std::clamp(value, 0.0, static_cast<double>(kMostTokens))));
}

}  // namespace

/// What a person would change first: a limit with its figures before a pause.
Hindrance Engine::Impl::hindrance(const CallRecord& call, std::size_t index, Instant now) const {
    TargetState* t = call.path->targets[index].state;
    const History::Place* place = call.history ? call.history->find(t) : nullptr;
    if (place != nullptr && place->barred) {
        return Hindrance::failed;
    }
    if (t->held.avoided(now)) {
        return Hindrance::held;
    }
    if (passed_over(*call.path, t, call.client, now)) {
        return Hindrance::unfit;
    }
    if (t->day.until > now || (t->day.probing && t->day.probe_out)) {
        return Hindrance::day;
    }
    if (!t->breaker.allows(now)) {
        return Hindrance::breaker;
    }
    if (t->region->in_flight >= config_.pool.max_connections) {
        return Hindrance::connections;
    }
    if (Accounts::pool_full(*t)) {
        return Hindrance::in_flight;
    }
    const Amount amount = held_cost(call, *t, index);
    if (Accounts::own_limit(*call.client, amount, now) != LimitKind::none) {
        return Hindrance::client_limit;
    }
    if (t->pool->awaits_grant(amount)) {
        return Hindrance::other_weirs;
    }
    if (t->pool->blocked_by(amount) != LimitKind::none) {
        return Hindrance::quota;
    }
    if (place != nullptr && place->not_before > now) {
        return Hindrance::failed;
    }
    return t->pool->paused_until() > now ? Hindrance::throttled : Hindrance::line;
}

/// What is expected to be granted before a waiting call's turn. As in the backlog, a call that
/// several targets could take counts in part at each.
Waiting::Ahead Engine::Impl::before(const CallRecord& call, const Slot& slot) {
    const Flow& flow = *slot.flow;
    if (call.queued.lane->head == &call || flow.backlog <= 0) {
        return Waiting::before_head(slot);
    }
    const double own = call.queued.expected / static_cast<double>(call.queued.lane->slots.size());
    const double others = std::max(0.0, flow.backlog - own);
    return Waiting::before_waiting(slot, others / flow.backlog);
}

std::optional<Standing> Engine::Impl::standing(CallId id, Instant now) {
    now = std::max(now, now_);
    CallRecord* call = calls_.find(id);
    if (call == nullptr || call->state != CallState::waiting || call->path->targets.empty()) {
        return std::nullopt;
    }
    const auto& targets = call->path->targets;
    const auto shut = [&](const PathTarget& place) {
        return closed(place.state, now) || passed_over(*call->path, place.state, call->client, now);
    };
    const auto open = std::ranges::find_if_not(targets, shut);
    const std::size_t index =
        open == targets.end() ? 0 : static_cast<std::size_t>(open - targets.begin());
    TargetState& target = *targets[index].state;
    target.pool->tick(now);
    Standing standing;
    standing.cause = hindrance(*call, index, now);
    standing.targets = static_cast<std::uint32_t>(targets.size());
    const Refusal figures =
        Accounts::refusal(standing.cause == Hindrance::client_limit ? RefusalReason::client_limit
                                                                    : RefusalReason::quota,
                          *call, index);
    standing.region = target.target.region;
    standing.model = target.target.model;
    standing.limit_kind = figures.limit_kind;
    standing.limit = figures.limit;
    standing.used = figures.used;
    standing.cost = figures.cost;
    const Slot& slot = call->queued.lane->slots[index];
    const Waiting::Ahead ahead = before(*call, slot);
    // Whole calls, for a person.
    const auto shares = static_cast<double>(call->queued.lane->slots.size());
    standing.calls_before = rounded(ahead.calls * shares);
    standing.tokens_before = rounded(ahead.tokens * shares);
    const double held_each =
        call->queued.expected > 0 ? static_cast<double>(figures.cost) / call->queued.expected : 1;
    standing.held_before = rounded(ahead.tokens * shares * std::max(held_each, 1.0));
    Instant at = std::max(turn(*call, slot, ahead, now), may_send_at(&target, now));
    if (const auto* place = call->history ? call->history->find(&target) : nullptr) {
        at = std::max(at, place->not_before);
    }
    if (standing.cause == Hindrance::client_limit) {
        at = std::max(at, Accounts::own_turn(*call, now));
    }
    if (at != Instant::max()) {
        standing.turn = at - now;
    }
    return standing;
}

/// To be said before the attempt is counted. What is held is said afterwards.
Reasons Engine::Impl::reasons(const CallRecord& call, std::size_t index, Instant now) const {
    Reasons why;
    const PathTarget& place = call.path->targets[index];
    const TargetState& target = *place.state;
    if (call.sends > 0) {
        why.choice = call.last_target == &target ? Choice::again : Choice::elsewhere;
    } else if (call.asked.cache_home == target.number) {
        why.choice = Choice::prompt_cache;
    } else if (place.group > 0) {
        why.choice = Choice::spilled;
        why.first_hindered = hindrance(call, 0, now);
    } else {
        const bool alone = call.path->targets.size() == 1 || call.path->targets[1].group != 0;
        why.choice = alone ? Choice::first : Choice::drawn;
    }
    const Input& input = call.asked.input;
    const Estimator& e = *target.estimator;
    why.input_known = input.known_by == &e ? input.known : 0;
    why.input_expected = static_cast<std::uint64_t>(e.expected_input(input));
    return why;
}

}  // namespace weir
