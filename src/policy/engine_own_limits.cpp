// A client's own limits, and calls under way at once: what holds a call back beside the service.
#include <algorithm>
#include <cmath>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
constexpr std::uint64_t kKnownAnswers = 5;
constexpr std::size_t kLooks = 32;
}  // namespace

/// What a call holds of its client's limit: at most all of it, or a call whose margin alone makes
/// it too large would wait in vain.
Amount Engine::Impl::own_amount(const ClientState* client, Amount amount) {
    if (client->limits) {
        amount.tokens = std::min(amount.tokens, client->limits->largest().value_or(amount.tokens));
    }
    return amount;
}

/// The client's own limit that keeps `amount` back now; none: it may go.
LimitKind Engine::Impl::own_limit(ClientState* client, Amount amount, Instant now) {
    if (client->max_in_flight && client->in_flight >= *client->max_in_flight) {
        return LimitKind::in_flight;
    }
    if (!client->limits) {
        return LimitKind::none;
    }
    client->limits->tick(now);
    return client->limits->blocked_by(own_amount(client, amount));
}

/// When a lane whose head its client's own limit holds back is to be looked at again. The end of
/// one of the client's calls does that too.
Instant Engine::Impl::own_free_at(const ClientState* client, Amount amount, Instant now) {
    const bool full = client->max_in_flight && client->in_flight >= *client->max_in_flight;
    return client->limits && !full ? client->limits->fits_at(own_amount(client, amount), now)
                                   : Instant::max();
}

/// A later call of a lane whose head its client's own limit holds back: one that fits now and
/// leaves the head its start. Null: none among the first.
CallRecord* Engine::Impl::beside_own(TargetState* target, const Slot* head, Instant now) {
    Lane* lane = head->lane;
    ClientState* client = lane->client;
    if (!client->limits || lane->calls.size() < 2 || target->pool->paused_until() > now) {
        return nullptr;
    }
    const std::uint64_t most =
        client->limits->spare_beside(own_amount(client, cost(lane->head, target, head->index)));
    std::size_t looks = 0;
    for (CallRecord* call : lane->calls.items()) {
        if (most == 0 || ++looks > kLooks) {
            break;
        }
        const Amount c = cost(call, target, head->index);
        const bool later = head->fallback && call->arrival > lane->head->arrival;
        if (call != lane->head && !later && c.tokens <= most &&
            own_limit(client, c, now) == LimitKind::none &&
            target->pool->blocked_by(c) == LimitKind::none) {
            return call;
        }
    }
    return nullptr;
}

std::uint64_t Engine::Impl::pool_in_flight(const TargetState* target) {
    std::uint64_t calls = target->in_flight;
    for (const TargetState* other : target->siblings) {
        calls += other->in_flight;
    }
    return calls;
}

/// When one more than `ahead` waiting calls may be under way.
Instant Engine::Impl::in_flight_turn(std::uint64_t running, std::uint64_t most, double ahead,
                                     const Estimator& estimator, Instant now) {
    const double missing = ahead + 1 + static_cast<double>(running) - static_cast<double>(most);
    if (missing <= 0) {
        return now;
    }
    const double rounds = std::min(missing / static_cast<double>(most), 1e6);
    return now + from_seconds(rounds * estimator.mean_service_seconds());
}

/// A call that its client's own limit holds back past its last moment is told so at arrival.
std::optional<Refusal> Engine::Impl::own_limit_too_late(CallRecord* call, Instant latest,
                                                        Instant now) {
    ClientState* client = call->client;
    const TargetState* first = call->path->targets.front().state;
    const Estimator& e = *first->estimator;
    const auto ahead = static_cast<double>(client->waiting);
    Instant at = now;
    if (client->max_in_flight) {
        at = in_flight_turn(client->in_flight, *client->max_in_flight, ahead, e, now);
    }
    if (client->limits) {
        QuotaPool& own = *client->limits;
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
            const auto held = static_cast<double>(own_amount(client, cost(call, first, 0)).tokens);
            at = std::max(at, tokens.turn_at(client->backlog + held, reserved * unused,
                                             e.mean_service_seconds(), now));
        }
    }
    if (at <= latest) {
        return std::nullopt;
    }
    Refusal r = refusal(RefusalReason::client_limit, call, 0);
    r.retry_after = at - now;
    return r;
}

/// The figures of a client's own limit, for a refusal that names it.
void Engine::Impl::name_own_limit(Refusal& r, const CallRecord* call, Amount amount) {
    const ClientState* client = call->client;
    r.model = "this client";
    r.region.clear();
    if (client->max_in_flight && client->in_flight >= *client->max_in_flight) {
        r.limit_kind = LimitKind::in_flight;
        r.limit = *client->max_in_flight;
        r.used = client->in_flight;
        return;
    }
    if (!client->limits) {
        return;
    }
    const QuotaPool& pool = *client->limits;
    LimitKind kind = pool.blocked_by(own_amount(client, amount));
    if (kind == LimitKind::none) {
        kind = pool.meter(LimitKind::tokens).limit() ? LimitKind::tokens : LimitKind::requests;
    }
    r.limit_kind = kind;
    r.limit = pool.meter(kind).limit().value_or(0);
    r.used = pool.meter(kind).used();
}

}  // namespace weir
