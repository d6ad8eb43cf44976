// The one place that combines limiter, queue, breaker, retry and route.
#pragma once

#include <weir/engine.h>

#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/cache_homes.h"
#include "policy/invocation_memory.h"
#include "policy/state.h"
#include "policy/tariff.h"

namespace weir {

/// See Engine for what it promises. Its parts:
///   engine.cpp            the public calls and the life of a call record
///   engine_admission.cpp  offer: what can be said at once
///   engine_queue.cpp      lanes, flows, eligibility
///   engine_dispatch.cpp   advance: who goes next
///   engine_outcome.cpp    report, settle, cancel
///   engine_evidence.cpp   what an outcome says about its target: breaker, fitness, quota
///   engine_config.cpp     targets, paths, clients, pools; reconfigure
///   engine_pools.cpp      which pool a target draws on, and what becomes of pools at a reload
///   engine_status.cpp     the snapshot
///
/// Invariants: a record in calls_ is waiting (in exactly one lane, with its timer armed) or in
/// flight (holding one reservation, one permit); a slot is in its target's heap only while its
/// lane's head may use that target; a target with something to hand out now is in dirty_.
class Engine::Impl {
public:
    Impl(Config config, std::uint64_t seed, Instant now);

    void reconfigure(Config config, Instant now);
    std::optional<Refusal> count_request(std::string_view client, Instant now);
    Decision offer(const Call& call, Instant now);
    void sent(CallId id, Instant now);
    void began(CallId id, Instant now);
    Decision report(CallId id, const Failure& failure, Instant now, std::string_view name);
    void settle(CallId id, const Usage& usage, Instant now);
    void cancel(CallId id, std::optional<Usage> so_far, Instant now);
    void advance(Instant now, std::vector<Wake>& woken);
    std::optional<Instant> next_wake() const;
    Status status(Instant now);
    std::vector<std::string> take_notices() { return std::exchange(notices_, {}); }

private:
    using CallRecord = policy::CallRecord;
    using CallState = policy::CallState;
    using ClientState = policy::ClientState;
    using Flow = policy::Flow;
    using Lane = policy::Lane;
    using Path = policy::Path;
    using PathKey = policy::PathKey;
    using QuotaPool = policy::QuotaPool;
    using Slot = policy::Slot;
    using TargetState = policy::TargetState;
    using Timer = policy::Timer;

    struct IdHash {
        std::size_t operator()(const CallId& id) const {
            std::uint64_t h = id.generation * 0x9e3779b97f4a7c15ULL;
            h ^= (std::uint64_t{id.worker} << 32U | id.slot) * 0xbf58476d1ce4e5b9ULL;
            return h ^ (h >> 29U);
        }
    };

    struct PathLess {
        using is_transparent = void;
        using View = std::tuple<std::string_view, std::string_view, bool, bool, Reach,
                                std::string_view, std::string_view, std::string_view>;
        static View view(const PathKey& k) {
            return {k.model, k.home_region, k.converse, k.region_bound,
                    k.reach, k.guardrail,   k.profile,  k.client};
        }
        static View view(const View& v) { return v; }
        static PathKey key(const View& v) {
            const auto& [model, home, converse, bound, reach, guardrail, profile, client] = v;
            return {std::string(model),     std::string(home),    converse,           bound, reach,
                    std::string(guardrail), std::string(profile), std::string(client)};
        }
        template <class A, class B>
        bool operator()(const A& a, const B& b) const {
            return view(a) < view(b);
        }
    };

    // engine.cpp
    Instant tick(Instant now);
    CallRecord* find(CallId id);
    CallRecord* new_record(const Call& call, Instant now);
    void end(CallRecord* call);
    void arm(Timer& timer, Instant at);
    void disarm(Timer& timer);
    Refusal finish(CallRecord* call, Refusal refusal, Instant now);
    std::optional<Grant> grant_after_refusal(const Call& call, RefusalReason reason, Instant now);
    void note_invocation(CallRecord* call, const Refusal* refusal, Instant now);
    Refusal refusal(RefusalReason reason, const CallRecord* call, std::size_t index) const;

    // engine_admission.cpp
    std::optional<Refusal> turned_away(CallRecord* call, Instant now);
    std::uint64_t allowed_output(const CallRecord* call, const TargetState* target,
                                 std::size_t index) const;
    std::uint64_t max_output(const CallRecord* call, const TargetState* target,
                             std::size_t index) const;
    policy::Amount cost(const CallRecord* call, const TargetState* target, std::size_t index) const;
    std::uint64_t cheapest(const CallRecord* call, const TargetState* target,
                           std::size_t index) const;
    std::optional<Refusal> hopeless(CallRecord* call, Instant now);
    Instant turn(const CallRecord* call, const Slot& slot, bool queued, Instant now) const;
    Instant turn_behind(const Slot& slot, double tokens, double calls, double own,
                        Instant now) const;
    Instant latest_start(const CallRecord* call, Instant now) const;
    bool try_grant(CallRecord* call, std::size_t index, Instant now, bool overtaking,
                   bool spilling = false);

    // engine_room.cpp
    bool make_room(const CallRecord* call, Instant now);
    CallRecord* newest_of_largest(const CallRecord* call, bool by_bytes);

    // engine_own_limits.cpp
    static policy::Amount own_amount(const ClientState* client, policy::Amount amount);
    static LimitKind own_limit(ClientState* client, policy::Amount amount, Instant now);
    static Instant own_free_at(const ClientState* client, policy::Amount amount, Instant now);
    CallRecord* beside_own(TargetState* target, const Slot* head, Instant now);
    static std::uint64_t pool_in_flight(const TargetState* target);
    static Instant in_flight_turn(std::uint64_t running, std::uint64_t most, double ahead,
                                  const policy::Estimator& estimator, Instant now);
    std::optional<Refusal> own_limit_too_late(CallRecord* call, Instant latest, Instant now);
    static void name_own_limit(Refusal& r, const CallRecord* call, policy::Amount amount);

    // engine_waits.cpp
    static constexpr Duration kReviewEvery = std::chrono::seconds(1);
    bool standing(Flow* flow, Instant now) const;
    Instant let_in_until(Flow* flow, Instant latest, Instant now) const;
    double expected_cost(const CallRecord* call, const TargetState* target,
                         std::size_t index) const;
    void note_turned_away(CallRecord* call, Lane* lane, Instant now);
    std::pair<double, double> before_flow(Flow* flow, double own) const;
    Instant turn_in_lane(const CallRecord* call, double before, Instant now) const;
    void refuse_late(Lane* lane, Instant now, std::vector<Wake>& woken, std::size_t limit);
    void review(Lane* lane, Instant now, std::vector<Wake>& woken, std::size_t limit);

    // engine_queue.cpp
    Lane* lane_for(CallRecord* call);
    std::unique_ptr<Lane> new_lane(Path* path, ClientState* client, std::size_t cls, bool solo);
    void drop_lane(Lane* lane);
    Flow* flow_for(TargetState* target, ClientState* client, std::size_t cls);
    void release_flow(Flow* flow);
    void charge(Flow* flow, double amount);
    double rank(const CallRecord* call, bool at_head, Instant now) const;
    void enqueue(CallRecord* call, bool at_head, Instant now);
    void dequeue(CallRecord* call, Instant now);
    void refresh(Lane* lane, Instant now);
    void refresh_waiting_for(TargetState* target, Instant now);
    Instant eligible_at(const Lane* lane, std::size_t index, Instant now) const;
    bool closed(TargetState* target, Instant now) const;
    static bool passed_over(const Path& path, const TargetState* target, const ClientState* client,
                            Instant now);
    void set_aside(Slot* slot, Instant until);
    void park(Lane* lane, Instant until);
    void unpark(ClientState* client, Instant now);

    // engine_dispatch.cpp
    void dirty(TargetState* target);
    void dispatch(TargetState* target, Instant now, std::vector<Wake>& woken, std::size_t limit);
    Slot* pick(TargetState* target);
    CallRecord* backfill(TargetState* target, const Slot* head, Instant now);
    Instant may_send_at(TargetState* target, Instant now);
    void rescue(Path* path, Instant now);
    std::optional<Grant> grant_first_choice(CallRecord* call, Instant now);
    Grant grant(CallRecord* call, std::size_t index, Instant now);
    void on_timer(Timer& timer, Instant now, std::vector<Wake>& woken, std::size_t limit);
    RefusalReason expiry_reason(const CallRecord* call, Instant now) const;
    std::optional<Grant> grant_cache_home(CallRecord* call, Instant now);

    // engine_evidence.cpp
    void judge_target(CallRecord* call, const Failure& failure, Instant now);
    static bool probes_at_once(CallRecord* call, TargetState* target, Instant now);
    void tell_breaker(CallRecord* call, double weight, bool broke, Instant now);
    void breaker_changed(TargetState* target, Instant now);
    void silent(CallRecord* call, Instant now);
    void note_misfit(CallRecord* call, const Failure& failure, TargetState* target,
                     policy::Misfit misfit, std::string_view name, Instant now);
    policy::Amount left_cost(const CallRecord* call, const std::optional<Usage>& seen,
                             const QuotaPool* pool, Instant now) const;
    void leave_early(CallRecord* call, const std::optional<Usage>& seen, Instant now);

    // engine_outcome.cpp
    void leave_target(CallRecord* call, Instant now);
    static policy::Amount settled_cost(const CallRecord* call, const Usage& usage,
                                       const QuotaPool* pool);
    static double share_of(const QuotaPool& pool, policy::Amount amount);
    void end_attempt(CallRecord* call, const Failure& failure, Instant now);
    Decision after_truncation(CallRecord* call, const Failure& failure, Instant now);
    Decision after_quota(CallRecord* call, const Failure& failure, Instant now);
    Decision go_elsewhere(CallRecord* call, const Failure& failure, bool unfit, Instant now);
    Decision repeat(CallRecord* call, const Failure& failure, Instant now);
    Decision final_error(CallRecord* call, const Failure& failure, RefusalReason reason,
                         Instant now);
    void learn_output(const CallRecord* call, const Usage& usage);
    bool anywhere_left(const CallRecord* call) const;
    bool may_time_out(const CallRecord* call, Instant now) const;
    std::optional<Grant> grant_anywhere(CallRecord* call, Instant now);

    // engine_config.cpp
    void apply(Config config);
    Path* path_for(const PathKey& key);
    PathLess::View path_key(const Call& call, const ClientState& client) const;
    /// Clients with Regions or models of their own have paths of their own.
    static std::string_view own_paths(const ClientState& client) {
        return client.bound ? std::string_view(client.name) : std::string_view();
    }
    void trim_paths();
    TargetState* target_for(const Target& target);
    void set_up(TargetState* target);
    void find_siblings(const QuotaPool* pool);
    ClientState* client_for(std::string_view name);
    void configure_client(ClientState* client);
    void release_client(ClientState* client);
    void keep_mentioned(CallRecord* call);
    void release_mentioned(const CallRecord* call);
    void purge();

    // engine_pools.cpp
    struct PoolTerms {
        std::string key;
        policy::PoolLimits limits;
    };
    PoolTerms pool_terms(const Target& target, const policy::Tariff& tariff) const;
    QuotaPool* pool_for(const Target& target, const policy::Tariff& tariff);
    void hand_pools_over(Instant now);

    struct StringHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const {
            return std::hash<std::string_view>{}(s);
        }
    };
    enum class Order : std::uint8_t { fifo, adaptive_lifo, small_first };

    /// Epoch of a permit whose breaker has been told the outcome.
    static constexpr std::uint32_t kTold = ~0U;

    Config config_;
    Order order_ = Order::fifo;
    RetryConfig retry_;
    BreakerConfig breaker_;
    policy::Mapped mapped_;
    /// What targets put in place of a call's guardrail or profile, for grants to point to. Grows
    /// with configurations only.
    std::set<std::string, std::less<>> mappings_;
    policy::Random random_;
    Instant now_;
    policy::InvocationMemory invocations_{10'000};
    std::unordered_map<CallId, std::unique_ptr<CallRecord>, IdHash> calls_;
    CallRecord* recent_ = nullptr;  // granted or looked up last, and mostly asked for next
    std::vector<std::unique_ptr<CallRecord>> spare_;
    std::map<PathKey, std::unique_ptr<Path>, PathLess> paths_;
    std::map<Target, std::unique_ptr<TargetState>> targets_;
    std::map<std::string, policy::RegionState, std::less<>> regions_;
    std::map<std::string, std::unique_ptr<QuotaPool>> pools_;
    std::vector<std::unique_ptr<QuotaPool>> retired_pools_;
    std::uint64_t partings_ = 0;  // of pools, for their kinship
    /// Targets that calls have been to, of calls older than the configuration.
    std::unordered_map<const CallRecord*, std::vector<TargetState*>> mentioned_;
    bool purge_due_ = false;
    std::map<std::pair<std::string, bool>, std::weak_ptr<policy::Estimator>> estimators_;
    std::unordered_map<std::string, std::unique_ptr<ClientState>, StringHash, std::equal_to<>>
        clients_;
    std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t> skipped_;
    policy::IndexedHeap<Timer, policy::TimerLess> timers_;
    std::vector<TargetState*> dirty_;
    std::vector<std::string> notices_;  // for the log, taken by the driver
    policy::CacheHomes cache_homes_{10'000};
    std::uint32_t targets_made_ = 0;
    // Calls that have left the queue for good, to be told by advance(): a new configuration leaves
    // them nowhere to go, or another client has a right to their place.
    std::vector<std::pair<CallId, Refusal>> doomed_;
    std::uint64_t sequence_ = 0;
    std::uint64_t uses_ = 0;
    std::uint64_t waiting_ = 0;
    std::uint64_t waiting_bytes_ = 0;
    std::uint64_t in_flight_ = 0;
};

}  // namespace weir
