#include "policy/pools.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace weir::policy {

namespace {

std::optional<std::uint64_t> part_of(std::optional<std::uint64_t> quota, double share) {
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

bool alike(const QuotaPool& pool, const QuotaPool& heir) {
    return alike(pool, heir.window(), heir.apart());
}

Pools::Terms Pools::terms_of(const Target& target, const Tariff& tariff) const {
    const QuotaConfig* quota = tariff.quota;
    Terms terms;
    terms.limits.apart = tariff.apart;
    std::string& key = terms.key;
    key = target.region + '\0';
    if (quota != nullptr) {
        PoolLimits& limits = terms.limits;
        limits.requests = part_of(quota->requests_per_minute, config_.quota_share);
        limits.tokens =
            part_of(tariff.apart ? quota->input_tokens_per_minute : quota->tokens_per_minute,
                    config_.quota_share);
        limits.daily_tokens = part_of(quota->tokens_per_day, config_.quota_share);
        limits.output_tokens = part_of(quota->output_tokens_per_minute, config_.quota_share);
        key.append(strip_arn(quota->models.front()));
    } else {
        key.append(tariff.model);
    }
    key.append(1, '\0').append(to_string(target.endpoint));
    key.append(target.tier == Tier::reserved ? to_string(target.tier) : std::string_view());
    if (!target.account.empty()) {
        key.append(1, '\0').append(target.account);
    }
    return terms;
}

QuotaPool* Pools::pool_for(const Target& target, const Tariff& tariff, Instant now) {
    const Terms terms = terms_of(target, tariff);
    auto& pool = pools_[terms.key];
    if (!pool) {
        pool =
            std::make_unique<QuotaPool>(config_.quota_window, Meter::Window::service, terms.limits);
        recall(terms.key, *pool, now);
        share(terms.key, *pool, now);
    }
    pool->configure(terms.limits);
    return pool.get();
}

/// A pool is found by the first model of its quota, so a list in another order names other pools.
/// What the service counts has not changed: a pool of the new configuration inherits from each pool
/// that its targets drew on before. Levels of another window say nothing about the new one: such
/// pools only see their own calls out.
std::vector<std::unique_ptr<QuotaPool>> Pools::renew(const Targets& targets, Instant now) {
    struct Heir {
        PoolLimits limits;
        std::vector<QuotaPool*> from;
    };
    std::map<std::string, Heir> heirs;
    std::map<const QuotaPool*, std::size_t> heirs_of;
    for (const auto& [key, target] : targets) {
        Terms terms = terms_of(target->target, tariff_of(config_, target->target));
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
        share(key, *pool, now);
        pools_[key] = std::move(pool);
    }
    std::vector<std::unique_ptr<QuotaPool>> gone;
    for (auto& [key, pool] : old) {
        if (pool) {
            gone.push_back(std::move(pool));
        }
    }
    return gone;
}

void Pools::share(std::string key, QuotaPool& pool, Instant now) const {
    if (config_.shared) {
        std::ranges::replace(key, '\0', '/');
        pool.share(std::make_unique<SharedQuota>(std::move(key), pool.window(),
                                                 QuotaPool::slack_for(pool.window()), now));
    }
}

std::vector<QuotaPool*> Pools::shared() const {
    std::vector<QuotaPool*> all;
    if (config_.shared) {
        for (const auto& [key, pool] : pools_) {
            if (pool->shared() != nullptr) {
                all.push_back(pool.get());
            }
        }
    }
    return all;
}

void Pools::retire(std::unique_ptr<QuotaPool> pool) {
    retired_.push_back(std::move(pool));
}

void Pools::purge() {
    std::erase_if(pools_, [&](const auto& entry) {
        return entry.second->outstanding() == 0 && entry.second->targets.empty();
    });
    std::erase_if(retired_, [](const auto& pool) { return pool->outstanding() == 0; });
}

}  // namespace weir::policy
