// Who is charged, where and what: clients, paths, targets, Regions and pools, and the attempts that
// hold something of them. What a call costs is in costs.h.
#pragma once

#include <weir/config.h>
#include <weir/engine_state.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/costs.h"
#include "policy/pools.h"
#include "policy/state.h"

namespace weir::policy {

struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};

/// Finds a path by a view of its key, which a call's own strings make.
struct PathLess {
    using is_transparent = void;
    using View = std::tuple<std::string_view, std::string_view, bool, bool, Reach, std::string_view,
                            std::string_view, std::string_view, std::string_view>;
    static View view(const PathKey& k) {
        return {k.model,     k.home_region, k.converse, k.region_bound, k.reach,
                k.guardrail, k.profile,     k.client,   k.home_account};
    }
    static View view(const View& v) { return v; }
    static PathKey key(const View& v) {
        const auto& [model, home, converse, bound, reach, guardrail, profile, client, account] = v;
        return {std::string(model),
                std::string(home),
                converse,
                bound,
                reach,
                std::string(guardrail),
                std::string(profile),
                std::string(client),
                std::string(account)};
    }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
        return view(a) < view(b);
    }
};

/// Decides nothing: it says what an attempt would take and what there is, and keeps the books.
///
/// Invariants:
/// - an attempt holds one reservation of its target's pool, and one of its client's own limit if
///   that has one, from reserve() until one of settle(), left() and failed(); it is counted in
///   flight at its target, its Region and its client from reserve() until leave();
/// - a target lives for as long as a path, a call or an attempt refers to it, and what was learned
///   of it lives as long; a client for as long as it is configured or has a call;
/// - pools are reserved from and settled in this class alone.
class Accounts {
public:
    using Clients =
        std::unordered_map<std::string, std::unique_ptr<ClientState>, StringHash, std::equal_to<>>;
    using Targets = Pools::Targets;
    using Paths = std::map<PathKey, std::unique_ptr<Path>, PathLess>;
    using SkippedCounts =
        std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t>;

    /// `config` outlives this; configure() or reconfigure() tells of each change.
    explicit Accounts(const Config& config);

    // The configuration.

    /// Reads a new configuration: clients and pools change over, and attempts under way with their
    /// targets. Paths stay what they are until they are made again. `calls`: all.
    void reconfigure(std::span<CallRecord* const> calls, Instant now);
    void resume(EngineState left, Instant now) { pools_.resume(std::move(left), now); }
    EngineState state(std::span<CallRecord* const> calls, Instant now) const {
        return pools_.state(targets_, calls, now);
    }

    // Clients.

    ClientState* client_for(std::string_view name);
    /// Callers name themselves as they like: a client that is neither configured nor busy is
    /// forgotten.
    static bool may_forget(const ClientState& client);
    void forget(ClientState* client);
    const Clients& clients() const { return clients_; }
    std::vector<ClientState*> all_clients() const;

    // Paths and their targets.

    /// The path of the calls that are like this one.
    struct Found {
        Path* path;
        bool made;  ///< just now: see surplus()
    };
    Found path_of(const Call& call, const ClientState& client, Instant now);
    Found path_for(const PathKey& key, Instant now);
    /// Clients with Regions or models of their own have paths of their own.
    static std::string_view own_paths(const ClientState& client) {
        return client.bound ? std::string_view(client.name) : std::string_view();
    }
    /// Callers can name any number of models, so paths are bounded. Takes the least recently used
    /// path that nobody uses off the books, if there are too many; `but` stays.
    std::unique_ptr<Path> surplus(const Path* but);
    /// Takes all paths off the books, to be made again.
    Paths take_paths();
    /// A path that was taken off the books goes.
    static void release(const Path& path);

    /// A call goes on speaking of the targets it has been to. Those that its new path may not have
    /// are kept until let_go().
    void keep_mentioned(const CallRecord& call);
    void let_go_mentioned(const CallRecord& call);

    /// Forgets the targets and pools that nothing refers to; `going` is told of each target before.
    void purge(const std::function<void(TargetState&)>& going);
    bool purge_due() const { return purge_due_; }

    const Targets& targets() const { return targets_; }
    /// Pools, clients' own limits among them, that other instances draw on as well. Until targets,
    /// clients or the configuration change.
    const std::vector<QuotaPool*>& shared_pools() const;
    const Paths& paths() const { return paths_; }

    /// Calls for which a target of their route was left out, by Region, model and reason.
    void count_skipped(const TargetState& target, const char* reason);

    /// What operators have ordered. After a change, and when an order ends: read_overrides().
    Overrides& overrides() { return overrides_; }
    const Overrides& overrides() const { return overrides_; }
    /// Tells each target what is in force there; the targets for which that has changed.
    std::vector<TargetState*> read_overrides(Instant now);
    const SkippedCounts& skipped() const { return skipped_; }

    // What there is (accounts_limits.cpp).

    /// The client's own limit that keeps `amount` back now; none: it may go.
    static LimitKind own_limit(ClientState& client, Amount amount, Instant now);
    /// When that is to be looked at again. The end of one of the client's calls does that too.
    static Instant own_free_at(const ClientState& client, Amount amount, Instant now);
    /// Calls under way at the target's pool.
    static std::uint64_t pool_in_flight(const TargetState& target);
    static bool pool_full(const TargetState& target);
    /// `amount` fits the target's pool now: what reserve() may be called with, but for the client's
    /// own limits.
    static bool pool_takes(const TargetState& target, Amount amount, Instant now);
    /// The call fits the pool of the target `index` and its client's own limits now.
    static bool has_room(const CallRecord& call, std::size_t index, Instant now);
    /// Tokens that this instance's calls under way are expected to give back to the target's pool.
    static double settling(const TargetState& target);
    /// When a call that holds `own` tokens is expected to go, behind calls that settle at `tokens`.
    static Instant free_at(const TargetState& target, double tokens, double calls, double own,
                           Instant now);
    /// When the client's own limits are expected to let the call go.
    static Instant own_turn(const CallRecord& call, Instant now);
    /// When one of the call's targets has room for it again.
    static Instant fits_somewhere_at(const CallRecord& call, Instant now);
    /// The refusal of a call that is larger than a limit.
    static std::optional<Refusal> never_fits(const CallRecord& call);
    /// A refusal with the figures of the limit that stands behind it at the target `index`.
    static Refusal refusal(RefusalReason reason, const CallRecord& call, std::size_t index);

    // Attempts (accounts_attempts.cpp): the one place where pools are reserved from and settled.

    /// The call's attempt at the target `index` begins, and holds `amount` there.
    void reserve(CallRecord& call, std::size_t index, Amount amount);
    static void sent(CallRecord& call, Instant now);
    /// Its answer has begun. True if others may go now that could not before.
    static bool accepted(CallRecord& call, Instant now);
    // The three ends of what is held. Each returns the part of the quota that the attempt turned
    // out to take, as share_of(); nullopt: as it was charged.
    static std::optional<double> settle(CallRecord& call, const Usage& usage, Instant now);
    static std::optional<double> failed(CallRecord& call, const Failure& failure, Random& random,
                                        Instant now);
    static std::optional<double> left(CallRecord& call, const std::optional<Usage>& seen,
                                      Random& random, Instant now);
    /// The answer's length, for the next call's max_tokens.
    static void learn_output(const CallRecord& call, const Usage& usage);
    /// The attempt is over: counters only.
    void leave(CallRecord& call);
    std::uint64_t in_flight() const { return in_flight_; }

    /// A request that no quota limits counts in its client's own limit of requests; the refusal if
    /// that is full.
    std::optional<Refusal> count_request(std::string_view client, Instant now);

private:
    void read_config();
    void configure_client(ClientState* client);
    TargetState* target_for(const Target& target, Instant now);
    void set_up(TargetState* target, Instant now);
    Path* make_path(const PathKey& key, Instant now);
    std::uint64_t* skips(const std::string& region, const std::string& model,
                         const std::string& reason);

    const Config& config_;
    RetryConfig retry_;
    BreakerConfig breaker_;
    Mapped mapped_;
    /// What targets put in place of a call's guardrail or profile, for grants to point to. Grows
    /// with configurations only.
    std::set<std::string, std::less<>> mappings_;
    Clients clients_;
    Paths paths_;
    Targets targets_;
    std::map<std::string, RegionState, std::less<>> regions_;
    std::map<std::pair<std::string, bool>, std::weak_ptr<Estimator>> estimators_;
    Pools pools_;
    /// Targets that calls have been to, of calls older than the configuration.
    std::unordered_map<const CallRecord*, std::vector<TargetState*>> mentioned_;
    bool purge_due_ = false;
    SkippedCounts skipped_;
    Overrides overrides_;
    std::uint32_t targets_made_ = 0;
    std::uint64_t uses_ = 0;  // of paths, ever
    std::uint64_t in_flight_ = 0;
    mutable std::optional<std::vector<QuotaPool*>> shared_pools_;  // listed when asked for
};

}  // namespace weir::policy
