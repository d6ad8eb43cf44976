// The pools of all quotas: which target draws on which, over reloads and restarts.
#pragma once

#include <weir/config.h>
#include <weir/engine_state.h>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policy/state.h"
#include "policy/tariff.h"

namespace weir::policy {

/// Invariants: targets that share a quota have the same pool, and no two quotas share one; a pool
/// lives for as long as a target draws on it or an attempt holds a reservation of it; what a quota
/// has been used for is never forgotten at a reload, unless the window or the meters are others.
class Pools {
public:
    /// `config` is read at each call.
    explicit Pools(const Config& config) : config_(config) {}

    /// The pool of the target's quota, with the limits of the present configuration.
    QuotaPool* pool_for(const Target& target, const Tariff& tariff, Instant now);

    using Targets = std::map<Target, std::unique_ptr<TargetState>>;

    /// The configuration is new. Makes its pools, each with the past of those that its targets drew
    /// on before. Returns the pools before, the ones that go on apart: for attempts under way.
    std::vector<std::unique_ptr<QuotaPool>> renew(const Targets& targets, Instant now);

    /// No target draws on it any more: kept until its last reservation has ended.
    void retire(std::unique_ptr<QuotaPool> pool);
    void purge();

    /// What the engine before has left, for pools that are made later.
    void resume(EngineState left, Instant now);
    /// What this engine leaves: the pools of `targets`, and what nobody has asked for since
    /// resume(). `calls`: all, for what those under way are expected to give back.
    EngineState state(const Targets& targets, std::span<CallRecord* const> calls,
                      Instant now) const;

    /// Where several instances share their quotas: other instances draw on this one as well.
    void share(std::string key, QuotaPool& pool, Instant now) const;
    /// Those that other instances draw on as well.
    std::vector<QuotaPool*> shared() const;

    std::size_t size() const { return pools_.size() + retired_.size(); }

private:
    struct Terms {
        std::string key;
        PoolLimits limits;
    };
    Terms terms_of(const Target& target, const Tariff& tariff) const;
    void recall(const std::string& key, QuotaPool& pool, Instant now);

    const Config& config_;
    std::map<std::string, std::unique_ptr<QuotaPool>> pools_;
    std::vector<std::unique_ptr<QuotaPool>> retired_;
    EngineState left_;
    std::optional<Instant> resumed_;
    std::uint64_t partings_ = 0;  // of pools, for their kinship
};

/// Calls under way may move from one to the other.
bool alike(const QuotaPool& pool, const QuotaPool& heir);

}  // namespace weir::policy
