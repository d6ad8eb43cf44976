// What there is for a call: in its target's pool, of its client's own limits, and when.
#include <algorithm>

#include "policy/accounts.h"

namespace weir::policy {

namespace {

bool own_calls_full(const ClientState& client) {
    return client.max_in_flight && client.in_flight >= *client.max_in_flight;
}

/// When one more than `ahead` waiting calls may be under way.
Instant in_flight_turn(std::uint64_t running, std::uint64_t most, double ahead,
                       const Estimator& estimator, Instant now) {
    const double missing = ahead + 1 + static_cast<double>(running) - static_cast<double>(most);
    if (missing <= 0) {
        return now;
    }
    const double rounds = std::min(missing / static_cast<double>(most), 1e6);
    return now + from_seconds(rounds * estimator.mean_service_seconds());
}

void put(Refusal& refusal, LimitKind kind, std::uint64_t limit, std::uint64_t used) {
    refusal.limit_kind = kind;
    refusal.limit = limit;
    refusal.used = used;
}

void put(Refusal& refusal, LimitKind kind, const QuotaPool& pool) {
    put(refusal, kind, pool.meter(kind).limit().value_or(0), pool.meter(kind).used());
}

void name_client(Refusal& refusal) {
    refusal.model = "this client";
    refusal.region.clear();
}

/// The figures of a client's own limit.
void put_own_limit(Refusal& refusal, const ClientState& client, Amount amount) {
    name_client(refusal);
    if (own_calls_full(client)) {
        put(refusal, LimitKind::in_flight, *client.max_in_flight, client.in_flight);
        return;
    }
    if (!client.limits) {
        return;
    }
    const QuotaPool& pool = *client.limits;
    LimitKind kind = pool.blocked_by(own_cost(client, amount));
    if (kind == LimitKind::none) {
        kind = pool.meter(LimitKind::tokens).limit() ? LimitKind::tokens : LimitKind::requests;
    }
    put(refusal, kind, pool);
}

}  // namespace

LimitKind Accounts::own_limit(ClientState& client, Amount amount, Instant now) {
    if (own_calls_full(client)) {
        return LimitKind::in_flight;
    }
    if (!client.limits) {
        return LimitKind::none;
    }
    client.limits->tick(now);
    return client.limits->blocked_by(own_cost(client, amount));
}

Instant Accounts::own_free_at(const ClientState& client, Amount amount, Instant now) {
    return client.limits && !own_calls_full(client)
               ? client.limits->fits_at(own_cost(client, amount), now)
               : Instant::max();
}

std::uint64_t Accounts::pool_in_flight(const TargetState& target) {
    std::uint64_t calls = 0;
    for (const TargetState* one : target.pool->targets) {
        calls += one->in_flight;
    }
    return calls;
}

bool Accounts::pool_full(const TargetState& target) {
    const auto& most = target.terms.max_in_flight;
    return most && pool_in_flight(target) >= *most;
}

bool Accounts::pool_takes(const TargetState& target, Amount amount, Instant now) {
    return target.pool->paused_until() <= now && target.pool->blocked_by(amount) == LimitKind::none;
}

bool Accounts::has_room(const CallRecord& call, std::size_t index, Instant now) {
    const TargetState& target = *call.path->targets[index].state;
    target.pool->tick(now);
    const Amount amount = held_cost(call, target, index);
    return pool_takes(target, amount, now) &&
           own_limit(*call.client, amount, now) == LimitKind::none;
}

double Accounts::settling(const TargetState& target) {
    const Estimator& e = *target.estimator;
    const auto reserved = static_cast<double>(target.pool->meter(LimitKind::tokens).reserved());
    const double unused = e.answers() > 0 && e.mean_reserved() > 0
                              ? std::clamp(1 - e.mean_settled() / e.mean_reserved(), 0.0, 1.0)
                              : 0.0;
    return reserved * unused;
}

Instant Accounts::free_at(const TargetState& target, double tokens, double calls, double own,
                          Instant now) {
    const QuotaPool& pool = *target.pool;
    const Estimator& e = *target.estimator;
    const SharedQuota* shared = pool.shared();
    const double elsewhere =
        shared == nullptr ? 0 : static_cast<double>(shared->settling_elsewhere());
    Instant at = std::max(now, pool.paused_until());
    at = std::max(at, pool.meter(LimitKind::tokens)
                          .turn_at(tokens + own, settling(target) + elsewhere,
                                   e.mean_service_seconds(), now));
    at = std::max(at, pool.meter(LimitKind::requests).turn_at(calls + 1, 0, 0, now));
    at = std::max(at, pool.meter(LimitKind::daily_tokens).turn_at(own, 0, 0, now));
    if (const Meter* output = pool.output()) {
        at = std::max(at, output->turn_at((calls + 1) * e.mean_output(), 0, 0, now));
    }
    if (const auto& most = target.terms.max_in_flight) {
        at = std::max(at, in_flight_turn(pool_in_flight(target), *most, calls, e, now));
    }
    return at;
}

Instant Accounts::own_turn(const CallRecord& call, Instant now) {
    const ClientState& client = *call.client;
    const TargetState& first = *call.path->targets.front().state;
    const Estimator& e = *first.estimator;
    const auto ahead = static_cast<double>(client.queue.waiting);
    Instant at = now;
    if (client.max_in_flight) {
        at = in_flight_turn(client.in_flight, *client.max_in_flight, ahead, e, now);
    }
    if (client.limits) {
        QuotaPool& own = *client.limits;
        own.tick(now);
        at = std::max(at, own.meter(LimitKind::requests).turn_at(ahead + 1, 0, 0, now));
        const Meter& tokens = own.meter(LimitKind::tokens);
        const auto reserved = static_cast<double>(tokens.reserved());
        // What calls under way will give back is not known at first.
        const bool known = e.answers() >= kKnownAnswers;
        if (known || tokens.reserved() == 0) {
            const double unused =
                known
                    ? std::clamp(1 - e.mean_settled() / std::max(e.mean_reserved(), 1.0), 0.0, 1.0)
                    : 0;
            const auto held =
                static_cast<double>(own_cost(client, held_cost(call, first, 0)).tokens);
            at = std::max(at, tokens.turn_at(client.queue.backlog + held, reserved * unused,
                                             e.mean_service_seconds(), now));
        }
    }
    return at;
}

Instant Accounts::fits_somewhere_at(const CallRecord& call, Instant now) {
    Instant soonest = Instant::max();
    for (std::size_t i = 0; i < call.path->targets.size(); ++i) {
        const TargetState& t = *call.path->targets[i].state;
        soonest = std::min(soonest, t.pool->fits_at(held_cost(call, t, i), now));
    }
    return soonest;
}

std::optional<Refusal> Accounts::never_fits(const CallRecord& call) {
    const auto& targets = call.path->targets;
    const auto too_large = [&](const QuotaPool& pool, std::size_t i) {
        const auto most = pool.hard_limit();
        return most && least_cost(call, *targets[i].state, i) > *most;
    };
    bool fits_somewhere = false;
    for (std::size_t i = 0; i < targets.size() && !fits_somewhere; ++i) {
        fits_somewhere = !too_large(*targets[i].state->pool, i);
    }
    const bool own_too_small = call.client->limits && too_large(*call.client->limits, 0);
    if (fits_somewhere && !own_too_small) {
        return std::nullopt;
    }
    Refusal r = refusal(RefusalReason::never_fits, call, 0);
    const QuotaPool& pool = own_too_small ? *call.client->limits : *targets[0].state->pool;
    r.cost = least_cost(call, *targets[0].state, 0);
    LimitKind kind = pool.meter(LimitKind::tokens).kind();
    const auto tokens = pool.meter(LimitKind::tokens).limit();
    const auto daily = pool.meter(LimitKind::daily_tokens).limit();
    if (!tokens || (daily && *daily < *tokens)) {
        kind = LimitKind::daily_tokens;
    }
    put(r, kind, pool);
    if (own_too_small) {
        name_client(r);
    }
    return r;
}

namespace {

/// The figures of a limit belong to the refusal. The other reasons have nothing to do with one.
bool is_by_limit(RefusalReason reason) {
    switch (reason) {
        case RefusalReason::quota:
        case RefusalReason::client_limit:
        case RefusalReason::queue_full:
        case RefusalReason::deadline:
        case RefusalReason::daily_quota:
        case RefusalReason::never_fits:
            return true;
        default:
            return false;
    }
}

}  // namespace

Refusal Accounts::refusal(RefusalReason reason, const CallRecord& call, std::size_t index) {
    Refusal r;
    r.reason = reason;
    if (index >= call.path->targets.size()) {
        r.model = call.path->key.model;
        r.region = call.path->key.home_region;
        return r;
    }
    const TargetState& t = *call.path->targets[index].state;
    r.region = t.target.region;
    r.model = t.target.model;
    if (!is_by_limit(reason)) {
        return r;
    }
    const Amount amount = held_cost(call, t, index);
    r.cost = amount.tokens;
    if (reason == RefusalReason::client_limit) {
        put_own_limit(r, *call.client, amount);
        return r;
    }
    const QuotaPool& pool = *t.pool;
    if (pool_full(t)) {
        put(r, LimitKind::in_flight, *t.terms.max_in_flight, pool_in_flight(t));
        return r;
    }
    LimitKind kind = pool.blocked_by(amount);
    if (kind == LimitKind::none && pool.meter(LimitKind::tokens).limit()) {
        kind = pool.meter(LimitKind::tokens).kind();
    }
    if (reason == RefusalReason::daily_quota) {
        kind = LimitKind::daily_tokens;
    }
    if (kind != LimitKind::none) {
        put(r, kind, pool);
    }
    return r;
}

}  // namespace weir::policy
