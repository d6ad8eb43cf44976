// The one place that combines limiter, queue, breaker, retry and route.
#pragma once

#include <weir/engine.h>
#include <weir/engine_state.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/accounts.h"
#include "policy/agenda.h"
#include "policy/cache_homes.h"
#include "policy/call_book.h"
#include "policy/invocation_memory.h"
#include "policy/next_step.h"
#include "policy/state.h"
#include "policy/waiting.h"

namespace weir {

/// See Engine for its promises. Its parts:
///   accounts.h            what a call costs, what there is, and what attempts hold
///   waiting.h             who waits, who is next, and what stands before whom
///   call_book.h           the records of calls
///   agenda.h              what is to be looked at, and when
///   next_step.h           what follows from a failure
///   engine.cpp            the public calls and the life of a call record
///   engine_admission.cpp  offer: decisions at arrival
///   engine_queue.cpp      from when a waiting call may use which target
///   engine_waits.cpp      waiting calls that would be too late
///   engine_dispatch.cpp   advance: which call goes next
///   engine_outcome.cpp    report, settle, cancel
///   engine_evidence.cpp   what an outcome shows about its target: breaker, fitness, quota
///   engine_config.cpp     reconfigure
///   engine_shared.cpp     what instances on one quota tell each other
///   engine_overrides.cpp  orders of operators
///   engine_status.cpp     the snapshot
///   engine_reasons.cpp    why a call waits, or goes where it goes: for those who ask later
///
/// Invariants: a record in calls_ is waiting (in exactly one lane, with its timer armed) or in
/// flight (holding one reservation, one permit); a slot is in its target's heap only while its
/// lane's head may use that target; a target with something to hand out now is on the agenda.
class Engine::Impl {
public:
    Impl(Config config, std::uint64_t seed, Instant now);

    void reconfigure(Config config, Instant now);
    std::optional<Refusal> count_request(std::string_view client, Instant now);
    Decision offer(const Call& call, Instant now);
    std::optional<Standing> standing(CallId id, Instant now);
    void sent(CallId id, Instant now);
    void began(CallId id, Instant now);
    Decision report(CallId id, const Failure& failure, Instant now, std::string_view name);
    void settle(CallId id, const Usage& usage, Instant now);
    void cancel(CallId id, std::optional<Usage> so_far, Instant now);
    void advance(Instant now, std::vector<Wake>& woken);
    std::optional<Instant> next_wake() const;
    Status status(Instant now);
    bool hold(const Override& order, Instant now);
    std::size_t release(const TargetFilter& targets, std::string_view by, Instant now);
    std::size_t trip(const TargetFilter& targets, Instant now);
    void probe(const TargetFilter& targets, Instant now);
    void shed(const Shedding& order, Instant now);
    bool pause(const Pause& order, Instant now);
    EngineState state(Instant now) const;
    void resume(EngineState state, Instant now);
    std::vector<BookExchange> exchanges(Instant now);
    void answered(const BookAnswer& answer, Instant now);
    void unanswered(std::string_view quota, Instant now);
    void leave(Instant now);
    bool left() const;
    std::optional<Instant> exchange_due() const;
    std::optional<PastRefusal> refused(std::string_view client, std::string_view invocation,
                                       Instant now);
    void remember(std::string_view client, std::string_view invocation, const PastRefusal& past,
                  Instant now);
    std::vector<std::string> take_notices() { return std::exchange(notices_, {}); }

private:
    using Accounts = policy::Accounts;
    using CallRecord = policy::CallRecord;
    using CallState = policy::CallState;
    using ClientState = policy::ClientState;
    using Lane = policy::Lane;
    using Path = policy::Path;
    using PathKey = policy::PathKey;
    using QuotaPool = policy::QuotaPool;
    using Slot = policy::Slot;
    using TargetState = policy::TargetState;
    using Timer = policy::Timer;
    using Waiting = policy::Waiting;

    // engine.cpp
    Instant tick(Instant now);
    CallRecord* new_record(const Call& call, Instant now);
    void end(CallRecord* call);
    Refusal finish(CallRecord* call, Refusal refusal, Instant now);
    std::optional<Grant> grant_after_refusal(const Call& call, RefusalReason reason, Instant now);
    void note_invocation(CallRecord* call, const Refusal* refusal, Instant now);

    // engine_admission.cpp
    std::optional<Refusal> turned_away(CallRecord* call, Instant now);
    std::optional<Refusal> hopeless(CallRecord* call, Instant now);
    static Instant turn(const CallRecord& call, const Slot& slot, Waiting::Ahead ahead,
                        Instant now);
    bool make_way(CallRecord* call, Lane* lane, Instant now);
    bool make_room(const CallRecord* call, Instant now);
    void turn_out(CallRecord* call, RefusalReason reason, Instant now);
    Instant latest_start(const CallRecord* call, Instant now) const;
    bool try_grant(CallRecord* call, std::size_t index, Instant now, bool overtaking,
                   bool spilling = false);

    // engine_waits.cpp
    Instant turn_in_lane(const CallRecord* call, double before, Instant now) const;
    void refuse_late(Lane* lane, Instant now, std::vector<Wake>& woken, std::size_t limit);
    void review(Lane* lane, Instant now, std::vector<Wake>& woken, std::size_t limit);

    // engine_queue.cpp
    void enqueue(CallRecord* call, bool at_head, Instant now);
    void dequeue(CallRecord* call, Instant now);
    void refresh(Lane* lane, Instant now);
    void refresh_waiting_for(TargetState* target, Instant now);
    Instant eligible_at(const Lane* lane, std::size_t index, Instant now) const;
    bool closed(TargetState* target, Instant now) const;
    static bool passed_over(const Path& path, const TargetState* target, const ClientState* client,
                            Instant now);
    static Instant avoided_until(const TargetState* target, const ClientState* client, Instant now);
    void park(Lane* lane, Instant until, Instant now);
    void unpark(ClientState* client, Instant now);

    // engine_dispatch.cpp
    void dispatch(TargetState* target, Instant now, std::vector<Wake>& woken, std::size_t limit);
    CallRecord* backfill(TargetState* target, const Slot* head, bool own, Instant now);
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

    // engine_outcome.cpp
    void leave_target(CallRecord* call, Instant now);
    policy::Trouble trouble_of(const CallRecord* call, const Failure& failure) const;
    Decision follow(CallRecord* call, policy::NextStep step, const Failure& failure,
                    TargetState* failed, std::string_view name, Instant now);
    Decision after_truncation(CallRecord* call, const Failure& failure, Instant now);
    Decision after_quota(CallRecord* call, const Failure& failure, Instant now);
    Decision go_elsewhere(CallRecord* call, const Failure& failure, bool unfit, Instant now);
    Decision repeat(CallRecord* call, const Failure& failure, Instant now);
    Decision final_error(CallRecord* call, const Failure& failure, RefusalReason reason,
                         Instant now);
    bool anywhere_left(const CallRecord* call) const;
    bool may_time_out(const CallRecord* call, Instant now) const;
    std::optional<Grant> grant_anywhere(CallRecord* call, Instant now);

    // engine_shared.cpp
    void ask_for_room(TargetState* target, Instant now);
    static void ask_for_own_room(ClientState* client, Instant now);
    void look_again(QuotaPool* pool, Instant now);
    std::vector<BookExchange::Trouble> troubles(const QuotaPool* pool, Instant now) const;
    std::int64_t settling(const QuotaPool* pool) const;
    void heed(const BookAnswer& answer, TargetState* target, Instant now);

    // engine_overrides.cpp
    void heed_overrides(Instant now);
    void end_overrides(Instant now);
    static bool all_closed(const Path& path, Instant now);
    static bool by_order(RefusalReason reason);
    std::optional<Refusal> ordered_off(const CallRecord* call, Instant now) const;
    void notice(std::string text);

    // engine_reasons.cpp
    Hindrance hindrance(const CallRecord& call, std::size_t index, Instant now) const;
    static Waiting::Ahead before(const CallRecord& call, const Slot& slot);
    Reasons reasons(const CallRecord& call, std::size_t index, Instant now) const;

    // engine_config.cpp
    void read_config();
    Path* path_for(const PathKey& key, Instant now);
    void trim_paths(const Path* made);
    void close(Path& path);
    void release_client(ClientState* client);
    void purge();

    /// Epoch of a permit whose breaker has been told the outcome.
    static constexpr std::uint32_t kTold = ~0U;

    Config config_;
    RetryConfig retry_;
    policy::Random random_;
    Instant now_;
    Accounts accounts_;
    policy::CallBook calls_;
    policy::Agenda agenda_;
    Waiting waiting_;
    policy::InvocationMemory invocations_{10'000};
    policy::CacheHomes cache_homes_{10'000};
    std::vector<std::string> notices_;  // for the log, taken by the driver
    // Calls that have left the queue for good, to be returned by advance(): a new configuration has
    // no target for them, or another client is entitled to their place.
    std::vector<std::pair<CallId, Refusal>> doomed_;
};

}  // namespace weir
