#include <algorithm>
#include <map>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {

std::vector<LimitStatus> limits_of(QuotaPool& pool, Instant now) {
    pool.tick(now);
    std::vector<LimitStatus> all;
    const auto add = [&](const Meter& meter) {
        LimitStatus s;
        s.kind = meter.kind();
        s.limit = meter.limit().value_or(0);
        s.used = meter.used();
        s.reserved = meter.reserved();
        s.learned = meter.learned();
        s.by_instances = meter.by_instances();
        s.foreign = meter.foreign();
        s.accepted_peak = meter.accepted_peak();
        s.confirmed_ago = meter.confirmed_ago();
        all.push_back(s);
    };
    for (const Meter& meter : pool.meters()) {
        // A day nobody limits is noise, and so are requests where none are counted; else requests
        // and tokens are shown even while they are learned.
        const bool noise = meter.kind() == LimitKind::daily_tokens ||
                           (meter.kind() == LimitKind::requests && pool.apart());
        if (!noise || meter.limit()) {
            add(meter);
        }
    }
    if (pool.output() != nullptr) {
        add(*pool.output());
    }
    return all;
}

}  // namespace

Status Engine::Impl::status(Instant now) {
    now = std::max(now, now_);
    if (accounts_.purge_due()) {
        purge();
    }
    Status status;
    for (const auto& [key, t] : accounts_.targets()) {
        TargetStatus s;
        s.region = t->target.region;
        s.account = t->target.account;
        s.model = t->target.model;
        s.endpoint = t->target.endpoint;
        s.tier = t->target.tier;
        s.limits = limits_of(*t->pool, now);
        if (t->terms.max_in_flight) {
            s.limits.push_back({LimitKind::in_flight, *t->terms.max_in_flight,
                                Accounts::pool_in_flight(*t), 0, false});
        }
        s.breaker = t->breaker.state(now);
        if (s.breaker == BreakerState::open) {
            s.breaker_left = std::max(Duration::zero(), t->breaker.opens_until() - now);
        }
        const Override* order = nullptr;
        if (const Held held = accounts_.overrides().held(t->target, now, &order); held.any) {
            s.held = *order;
            s.held->lasts = held.until - now;
        }
        s.in_flight = t->in_flight;
        s.daily_closed = t->day.until > now || t->day.probing;
        s.misconfigured = t->unfit.closed(now);
        if (s.misconfigured) {
            s.misconfigured_cause = t->unfit.cause().error;
            s.misconfigured_call = t->unfit.cause().call;
            s.misconfigured_client = t->unfit.cause().client;
            s.misconfigured_for_all = t->unfit.for_everybody();
            s.misconfigured_for = t->unfit.until() - now;
        }
        s.cache_kept = t->tally.cache_kept;
        s.cache_moved = t->tally.cache_moved;
        const Estimator& e = *t->estimator;
        s.usable_share = e.usable_share(config_.quota_window);
        s.mean_max_tokens = e.mean_max_output();
        s.mean_reserved = e.mean_reserved();
        s.mean_settled_cost = e.mean_settled();
        s.mean_service_seconds = e.mean_service_seconds();
        s.estimate_ratio = e.ratio();
        s.enough_max_tokens = e.enough_output(OutputKind::plain).value_or(0);
        s.right_sized = t->tally.right_sized;
        s.truncated = t->tally.truncated;
        status.targets.push_back(std::move(s));
    }
    for (const auto& [name, client] : accounts_.clients()) {
        ClientStatus s;
        s.name = name;
        if (client->limits) {
            s.limits = limits_of(*client->limits, now);
        }
        if (client->max_in_flight) {
            s.limits.push_back(
                {LimitKind::in_flight, *client->max_in_flight, client->in_flight, 0, false});
        }
        s.waiting = client->queue.waiting;
        status.clients.push_back(std::move(s));
    }
    std::ranges::sort(status.clients, {}, &ClientStatus::name);
    std::map<std::pair<std::string, Priority>, std::uint64_t> waiting;
    for (const auto& [key, path] : accounts_.paths()) {
        for (std::size_t c = 0; c < kPriorities; ++c) {
            if (path->waiting[c] > 0) {
                waiting[{key.model, static_cast<Priority>(c)}] += path->waiting[c];
            }
        }
    }
    for (const auto& [key, calls] : waiting) {
        status.waiting.push_back(WaitingStatus{key.first, key.second, calls});
    }
    for (const auto& [key, calls] : accounts_.skipped()) {
        const auto& [region, model, reason] = key;
        status.skipped.push_back(SkippedStatus{region, model, reason, calls});
    }
    for (const QuotaPool* pool : accounts_.shared_pools()) {
        const SharedQuota& shared = *pool->shared();
        status.shared.push_back(
            {shared.key(), shared.mode() == SharedQuota::Mode::joined, shared.instances()});
    }
    status.overrides = accounts_.overrides().overrides(now);
    status.shedding = accounts_.overrides().shedding(now);
    status.paused = accounts_.overrides().paused(now);
    status.waiting_calls = waiting_.calls();
    status.waiting_bytes = waiting_.bytes();
    status.in_flight = accounts_.in_flight();
    return status;
}

}  // namespace weir
