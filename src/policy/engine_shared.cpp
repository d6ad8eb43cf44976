// What this engine and the others that draw on the same quotas tell each other through the books.
#include <algorithm>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {
// Calls of one lane for which room is asked in one go.
constexpr std::size_t kAskedTogether = 16;
// Clients whose backlog is told.
constexpr std::size_t kMostBacklogs = 32;
// Its own probes take that long to be answered and told. What is told to last no longer is open to
// probes by now.
constexpr Duration kLookedAfter = std::chrono::milliseconds(1500);
}  // namespace

/// Asks for room for whoever is next at the targets of this pool.
void Engine::Impl::ask_for_room(TargetState* target, Instant now) {
    SharedQuota* shared = target->pool->shared();
    if (shared == nullptr) {
        return;
    }
    std::vector<BookExchange::Head> heads;
    const auto ask = [&](const TargetState& t) {
        const Slot* slot = Waiting::next(t);
        if (slot == nullptr) {
            return;
        }
        const auto add = [&](const CallRecord& call) {
            heads.push_back({.cls = static_cast<std::uint32_t>(slot->lane->cls),
                             .client = Waiting::counter_name(*slot->flow),
                             .waited = now - call.arrival,
                             .need = t.pool->booked(held_cost(call, t, slot->index))});
        };
        add(*slot->lane->head);
        const auto& calls = slot->lane->calls.items();
        for (std::size_t i = 0; i < std::min(calls.size(), kAskedTogether); ++i) {
            if (calls[i] != slot->lane->head) {
                add(*calls[i]);
            }
        }
    };
    ask(*target);
    for (const TargetState* sibling : target->pool->targets) {
        if (sibling != target) {
            ask(*sibling);
        }
    }
    if (heads.empty() && !shared->wants()) {
        return;
    }
    std::vector<BookExchange::Backlog> backlog;
    const auto tell = [&](const TargetState& t) {
        for (const auto& [key, flow] : t.queue.flows) {
            if (backlog.size() < kMostBacklogs) {
                backlog.push_back({static_cast<std::uint32_t>(flow->cls), flow->client->name,
                                   flow->backlog, flow->backlog_calls});
            }
        }
    };
    tell(*target);
    for (const TargetState* sibling : target->pool->targets) {
        if (sibling != target) {
            tell(*sibling);
        }
    }
    shared->tick(now);
    shared->want(std::move(heads), std::move(backlog));
}

/// Asks for room in the client's own limit for the heads that it holds back.
void Engine::Impl::ask_for_own_room(ClientState* client, Instant now) {
    SharedQuota* shared = client->limits ? client->limits->shared() : nullptr;
    if (shared == nullptr) {
        return;
    }
    std::vector<BookExchange::Head> heads;
    for (const Lane* lane : client->queue.parked) {
        if (lane->head != nullptr && heads.size() < kAskedTogether) {
            const TargetState& first = *lane->path->targets.front().state;
            const Amount amount = own_cost(*client, held_cost(*lane->head, first, 0));
            heads.push_back({.cls = static_cast<std::uint32_t>(lane->cls),
                             .client = client->name,
                             .waited = now - lane->head->arrival,
                             .need = client->limits->booked(amount)});
        }
    }
    shared->tick(now);
    shared->want(std::move(heads), {});
}

/// Targets of the pool that this instance has closed by itself. It probes them for all: the others
/// stay away a little longer than it does.
std::vector<BookExchange::Trouble> Engine::Impl::troubles(const QuotaPool* pool,
                                                          Instant now) const {
    using Kind = BookExchange::Trouble::Kind;
    std::vector<BookExchange::Trouble> all;
    for (const auto& [key, target] : accounts_.targets()) {
        if (target->pool != pool) {
            continue;
        }
        Breaker& breaker = target->breaker;
        const BreakerState state = breaker.state(now);
        if (state != BreakerState::closed && !breaker.opened_by_another()) {
            const Duration left =
                state == BreakerState::open ? breaker.opens_until() - now : Duration::zero();
            all.push_back({Kind::breaker, target->target.model, left + kLookedAfter});
        }
        const DayClosure& day = target->day;
        if (day.probing && !day.by_another) {
            all.push_back({Kind::day, target->target.model,
                           std::max(day.until - now, Duration::zero()) + kLookedAfter});
        }
    }
    return all;
}

/// What calls under way are expected to give back to the pool.
std::int64_t Engine::Impl::settling(const QuotaPool* pool) const {
    for (const auto& [key, target] : accounts_.targets()) {
        if (target->pool == pool) {
            return static_cast<std::int64_t>(Accounts::settling(*target));
        }
    }
    return 0;
}

/// What others have closed is closed here as well, until they open it or are gone.
void Engine::Impl::heed(const BookAnswer& answer, TargetState* target, Instant now) {
    using Kind = BookExchange::Trouble::Kind;
    Duration breaker{};
    Duration day{};
    for (const auto& trouble : answer.troubles) {
        if (trouble.model == target->target.model) {
            Duration& longest = trouble.kind == Kind::breaker ? breaker : day;
            longest = std::max(longest, trouble.lasts);
        }
    }
    const bool was_open = target->breaker.state(now) == BreakerState::open;
    if (breaker > Duration::zero()) {
        target->breaker.open_for_another(now + breaker, breaker <= kLookedAfter, now);
    } else {
        target->breaker.release(now);
    }
    bool changed = was_open != (target->breaker.state(now) == BreakerState::open);
    DayClosure& closure = target->day;
    if (day > Duration::zero() &&
        (closure.by_another || (!closure.probing && day > kLookedAfter))) {
        changed = changed || !closure.by_another;
        closure.by_another = closure.probing = true;
        closure.until = now + day;
    } else if (day == Duration::zero() && closure.by_another) {
        closure.by_another = false;
        closure.until = now;
        changed = true;
    }
    if (changed) {
        breaker_changed(target, now);
    }
}

/// What is known of the pool has changed: whoever waits for it may go.
void Engine::Impl::look_again(QuotaPool* pool, Instant now) {
    for (const auto& [key, target] : accounts_.targets()) {
        if (target->pool == pool) {
            agenda_.dirty(target.get());
        }
    }
    for (const auto& [name, client] : accounts_.clients()) {
        if (client->limits.get() == pool) {
            unpark(client.get(), now);
            ask_for_own_room(client.get(), now);
        }
    }
}

std::vector<BookExchange> Engine::Impl::exchanges(Instant now) {
    now = tick(now);
    std::vector<BookExchange> all;
    for (QuotaPool* pool : accounts_.shared_pools()) {
        SharedQuota& shared = *pool->shared();
        shared.tick(now);
        if (shared.due() <= now) {
            pool->tick(now);
            pool->teach_limits(now);
            shared.close(troubles(pool, now));
            shared.expect(settling(pool));
            all.push_back(shared.exchange());
        }
    }
    return all;
}

void Engine::Impl::answered(const BookAnswer& answer, Instant now) {
    now = tick(now);
    for (QuotaPool* pool : accounts_.shared_pools()) {
        SharedQuota& shared = *pool->shared();
        if (shared.key() != answer.quota) {
            continue;
        }
        const bool news = shared.answered(answer, now);
        pool->learn_limits();
        for (const auto& [key, target] : accounts_.targets()) {
            if (target->pool == pool) {
                Waiting::adopt_counters(*target, shared);
                waiting_.hear_others(*target, now);
                heed(answer, target.get(), now);
            }
        }
        if (news) {
            look_again(pool, now);
        }
        return;
    }
}

void Engine::Impl::unanswered(std::string_view quota, Instant now) {
    now = tick(now);
    for (QuotaPool* pool : accounts_.shared_pools()) {
        if (pool->shared()->key() == quota) {
            pool->shared()->lost(now);
            for (const auto& [key, target] : accounts_.targets()) {
                if (target->pool == pool) {
                    waiting_.hear_others(*target, now);
                }
            }
            look_again(pool, now);
            return;
        }
    }
}

void Engine::Impl::leave(Instant now) {
    tick(now);
    for (QuotaPool* pool : accounts_.shared_pools()) {
        pool->shared()->leave();
    }
}

bool Engine::Impl::left() const {
    return std::ranges::all_of(accounts_.shared_pools(),
                               [](const QuotaPool* pool) { return pool->shared()->left(); });
}

std::optional<Instant> Engine::Impl::exchange_due() const {
    Instant due = Instant::max();
    for (const QuotaPool* pool : accounts_.shared_pools()) {
        due = std::min(due, pool->shared()->due());
    }
    return due == Instant::max() ? std::nullopt : std::optional(due);
}

}  // namespace weir
