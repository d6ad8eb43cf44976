// Which pool a target draws on, and what becomes of pools at a reload.
#include <algorithm>
#include <functional>
#include <utility>

#include "policy/engine_impl.h"

namespace weir {

using namespace policy;

namespace {

std::optional<std::uint64_t> shared(std::optional<std::uint64_t> quota, double share) {
    if (!quota) {
        return std::nullopt;
    }
    const double part = static_cast<double>(*quota) * share;
    return std::max<std::uint64_t>(1, share == 1 ? *quota : static_cast<std::uint64_t>(part));
}

bool alike(const QuotaPool& pool, Duration window, bool apart) {
    return pool.window() == window && pool.apart() == apart;
}

}  // namespace

Engine::Impl::PoolTerms Engine::Impl::pool_terms(const Target& target,
                                                 const policy::Tariff& tariff) const {
    const QuotaConfig* quota = tariff.quota;
    PoolTerms terms;
    terms.limits.apart = tariff.apart;
    std::string& key = terms.key;
    key = target.region + '\0';
    if (quota != nullptr) {
        PoolLimits& limits = terms.limits;
        limits.requests = shared(quota->requests_per_minute, config_.quota_share);
        limits.tokens =
            shared(tariff.apart ? quota->input_tokens_per_minute : quota->tokens_per_minute,
                   config_.quota_share);
        limits.daily_tokens = shared(quota->tokens_per_day, config_.quota_share);
        limits.output_tokens = shared(quota->output_tokens_per_minute, config_.quota_share);
        key.append(strip_arn(quota->models.front()));
    } else {
        key.append(tariff.model);
    }
    key.append(1, '\0').append(to_string(target.endpoint));
    key.append(target.tier == Tier::reserved ? to_string(target.tier) : std::string_view());
    return terms;
}

QuotaPool* Engine::Impl::pool_for(const Target& target, const policy::Tariff& tariff) {
    const PoolTerms terms = pool_terms(target, tariff);
    auto& pool = pools_[terms.key];
    if (!pool) {
        pool =
            std::make_unique<QuotaPool>(config_.quota_window, Meter::Window::service, terms.limits);
    }
    pool->configure(terms.limits);
    return pool.get();
}

/// A pool is found by the first model of its quota, so a list in another order names other pools.
/// What the service counts has not changed: a pool of the new configuration inherits from each pool
/// that its targets drew on before. Calls under way move with their target. Levels of another
/// window say nothing about the new one: such pools only see their own calls out.
void Engine::Impl::hand_pools_over(Instant now) {
    struct Heir {
        PoolLimits limits;
        std::vector<QuotaPool*> from;
    };
    std::map<std::string, Heir> heirs;
    std::map<const QuotaPool*, std::size_t> heirs_of;
    std::unordered_map<const TargetState*, const QuotaPool*> before;
    for (const auto& [key, target] : targets_) {
        PoolTerms terms = pool_terms(target->target, tariff_of(config_, target->target));
        before[target.get()] = target->pool;
        if (!alike(*target->pool, config_.quota_window, terms.limits.apart)) {
            continue;
        }
        Heir& heir = heirs[std::move(terms.key)];
        heir.limits = terms.limits;
        if (std::ranges::find(heir.from, target->pool) == heir.from.end()) {
            heir.from.push_back(target->pool);
            ++heirs_of[target->pool];
        }
    }
    auto old = std::exchange(pools_, {});
    for (const auto& [key, pool] : old) {
        if (heirs_of[pool.get()] > 1) {
            pool->part(++partings_, now);
        }
    }
    for (auto& [key, heir] : heirs) {
        if (heir.from.size() == 1 && heirs_of[heir.from.front()] == 1) {
            const auto same = std::ranges::find_if(
                old, [&](const auto& entry) { return entry.second.get() == heir.from.front(); });
            pools_[key] = std::move(same->second);
            continue;
        }
        std::ranges::sort(heir.from, std::greater{}, [](const QuotaPool* pool) {
            return pool->meter(LimitKind::tokens).used();
        });
        auto pool =
            std::make_unique<QuotaPool>(config_.quota_window, Meter::Window::service, heir.limits);
        for (QuotaPool* from : heir.from) {
            pool->inherit(*from, now);
        }
        pools_[key] = std::move(pool);
    }
    for (const auto& [key, target] : targets_) {
        set_up(target.get());
    }
    for (const auto& [id, call] : calls_) {
        Reservation& held = call->reservation;
        if (held.pool == nullptr || held.pool == call->target->pool ||
            held.pool != before[call->target]) {
            continue;
        }
        QuotaPool& heir = *call->target->pool;
        if (alike(*held.pool, heir.window(), heir.apart())) {
            held.pool->hand_over(held, heir);
        }
    }
    for (auto& [key, pool] : old) {
        if (pool && pool->outstanding() > 0) {
            retired_pools_.push_back(std::move(pool));
        }
    }
}

}  // namespace weir
