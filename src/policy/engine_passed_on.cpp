// Requests that no quota limits, in a client's own limit.
#include "policy/engine_impl.h"

#include <algorithm>

namespace weir {

std::optional<Refusal> Engine::count_request(std::string_view client, Instant now) {
    return impl_->count_request(client, now);
}

std::optional<Refusal> Engine::Impl::count_request(std::string_view client, Instant now) {
    now = tick(now);
    if (std::ranges::find(config_.clients, client, &ClientConfig::name) == config_.clients.end()) {
        return std::nullopt;
    }
    ClientState* known = client_for(client);
    if (!known->limits) {
        return std::nullopt;
    }
    policy::QuotaPool& pool = *known->limits;
    pool.tick(now);
    const policy::Meter& requests = pool.meter(LimitKind::requests);
    // What the client's inference calls hold of its tokens does not matter here.
    if (const Instant at = requests.turn_at(1, 0, 0, now); at > now) {
        Refusal refusal;
        refusal.reason = RefusalReason::client_limit;
        refusal.limit_kind = LimitKind::requests;
        refusal.retry_after = at - now;
        refusal.limit = requests.limit().value_or(0);
        refusal.used = requests.used();
        return refusal;
    }
    policy::Reservation one = pool.hold(0);
    pool.sent(one, now);
    pool.settle(one, 0, now);
    return std::nullopt;
}

}  // namespace weir
