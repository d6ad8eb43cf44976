// What one engine leaves to the next: the use of quotas, and what was found out about them.
#include <algorithm>
#include <utility>

#include "policy/costs.h"
#include "policy/pools.h"

namespace weir::policy {

namespace {
constexpr Duration kLongestUse = std::chrono::hours(24);  // of a day's tokens

bool older(const EngineState::Pool& pool, Duration limit) {
    return std::ranges::all_of(pool.meters, [&](const EngineState::Meter& meter) {
        return (!meter.learned.refused || *meter.learned.refused > limit) &&
               std::ranges::all_of(meter.used, [&](const auto& used) {
                   return used.age > (meter.kind == LimitKind::daily_tokens ? kLongestUse : limit);
               });
    });
}

void grow_old(EngineState::Pool& pool, Duration by) {
    for (EngineState::Meter& meter : pool.meters) {
        for (EngineState::Used& used : meter.used) {
            used.age += by;
        }
        meter.slot_age += by;
        if (meter.learned.refused) {
            *meter.learned.refused += by;
        }
    }
}
}  // namespace

EngineState Pools::state(const Targets& targets, std::span<CallRecord* const> calls,
                         Instant now) const {
    EngineState out;
    out.window = config_.quota_window;
    // In the order of their first targets: that of addresses would differ from run to run.
    std::vector<std::pair<const QuotaPool*, std::vector<Target>>> users;
    for (const auto& [target, state] : targets) {
        auto known = std::ranges::find(users, state->pool, [](const auto& u) { return u.first; });
        if (known == users.end()) {
            known = users.insert(users.end(), {state->pool, {}});
        }
        known->second.push_back(target);
    }
    // Calls under way hold more than they are expected to cost. If the process ends they do as
    // well.
    std::map<const QuotaPool*, std::vector<Meter::Returning>> returning;
    for (const CallRecord* call : calls) {
        const Reservation& held = call->attempt.reservation;
        if (held.pool == nullptr || !held.is_stamped ||
            call->attempt.index >= call->path->targets.size()) {
            continue;
        }
        const auto expected = static_cast<std::uint64_t>(
            expected_cost(*call, *call->attempt.target, call->attempt.index));
        const std::uint64_t logged = held.tokens - held.trials[1].doubt;
        if (logged > expected) {
            returning[held.pool].push_back({held.stamped, logged - expected});
        }
    }
    for (const auto& [pool, drawing] : users) {
        if (pool->window() != out.window) {
            continue;
        }
        EngineState::Pool remembered = pool->remember(returning[pool], now);
        remembered.targets = drawing;
        out.pools.push_back(std::move(remembered));
    }
    if (resumed_) {
        // Nobody has asked for these since the start: they are handed on as they came.
        for (EngineState::Pool pool : left_.pools) {
            std::erase_if(pool.targets, [&](const Target& t) { return targets.contains(t); });
            grow_old(pool, now - *resumed_ + left_.age);
            if (!pool.targets.empty() && !older(pool, out.window * kRememberedWindows)) {
                out.pools.push_back(std::move(pool));
            }
        }
    }
    return out;
}

void Pools::resume(EngineState left, Instant now) {
    left.age = std::max(left.age, Duration::zero());
    left_ = std::move(left);
    resumed_ = now;
}

/// A pool is made: it takes over what the engine before knew of the targets that draw on it.
void Pools::recall(const std::string& key, QuotaPool& pool, Instant now) {
    if (!resumed_) {
        return;
    }
    const Duration age = now - *resumed_ + left_.age;
    const bool complete = left_.unrecorded == Duration::zero();
    for (const EngineState::Pool& left : left_.pools) {
        const bool draws = std::ranges::any_of(left.targets, [&](const Target& target) {
            return terms_of(target, tariff_of(config_, target)).key == key;
        });
        if (draws && left_.window == pool.window()) {
            pool.recall(left, age, left_.unrecorded, now);
        }
    }
    if (!complete && now < *resumed_ + pool.window() + QuotaPool::slack_for(pool.window())) {
        pool.doubt_past(*resumed_, now);
    }
}

}  // namespace weir::policy
