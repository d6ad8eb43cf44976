// The state of calls, clients and targets. Accounts keeps the books, Waiting alone changes what
// waits, and the engine the rest.
#pragma once

#include <weir/config.h>
#include <weir/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policy/breaker.h"
#include "policy/controlled_delay.h"
#include "policy/eligibility.h"
#include "policy/estimator.h"
#include "policy/indexed_heap.h"
#include "policy/leavers.h"
#include "policy/overrides.h"
#include "policy/quota_pool.h"
#include "policy/retry.h"
#include "policy/served_part.h"
#include "policy/unfit.h"

namespace weir::policy {

struct CallRecord;
struct ClientState;
struct Flow;
struct Lane;
struct Path;
struct TargetState;

enum class TimerKind : std::uint8_t { call, lane, target, client };

struct Timer {
    Instant at{};
    std::uint32_t heap_pos = kNotInHeap;
    TimerKind kind;
    void* owner;
};
struct TimerLess {
    bool operator()(const Timer& a, const Timer& b) const { return a.at < b.at; }
};

/// A lane's place in one target's queue: in the heap while its head may use that target.
struct Slot {
    Lane* lane = nullptr;
    Flow* flow = nullptr;
    TargetState* target = nullptr;
    std::uint32_t index = 0;  ///< of the target in the path
    bool fallback = false;    ///< not among the path's first choices
    std::uint32_t heap_pos = kNotInHeap;
};

/// One client's use of one target in one class: its Virtual Token Counter and its backlog.
struct Flow {
    TargetState* target = nullptr;
    ClientState* client = nullptr;
    std::size_t cls = 0;
    double counter = 0;
    double backlog = 0;  ///< expected settled cost of what waits
    double backlog_calls = 0;
    std::uint32_t waiting = 0;
    std::uint32_t refs = 0;  ///< lanes and calls in flight
    std::vector<Slot*> slots;
    ControlledDelay delay;
    ServedPart part;

    explicit Flow(Instant now) : delay(now) {}
};

/// Order within a lane: the least rank, then the earliest arrival. See Waiting::rank.
struct CallLess {
    bool operator()(const CallRecord& a, const CallRecord& b) const;
};

/// The waiting calls of one client, class and path, in queue.order. A call that has failed
/// before waits in its own lane, because its allowed targets differ from those of its
/// neighbours.
struct Lane {
    Path* path = nullptr;
    ClientState* client = nullptr;
    std::size_t cls = 0;
    bool solo = false;
    bool parked = false;         ///< its client's own limit is full
    CallRecord* head = nullptr;  ///< the top of `calls`
    IndexedHeap<CallRecord, CallLess> calls;
    Instant busy_since{};                ///< when it was empty last
    Instant review_at = Instant::max();  ///< when its calls' turns are estimated again
    std::uint64_t sequence = 0;
    std::vector<Slot> slots;  ///< one a target of the path; never resized
    Timer timer{{}, kNotInHeap, TimerKind::lane, this};
};

struct SlotLess {
    bool operator()(const Slot& a, const Slot& b) const;
};

/// What of a client's waits. Only Waiting changes it.
struct ClientQueue {
    std::uint64_t waiting = 0;
    std::uint64_t waiting_bytes = 0;
    double backlog = 0;  ///< expected settled cost of what waits
    std::vector<Lane*> lanes;
    std::vector<Lane*> parked;  ///< of the lanes and of those for one call
};

struct ClientState {
    std::string name;
    std::uint64_t key = 0;  ///< stands for the name where evidence is counted
    bool bound = false;     ///< its regions or models narrow where its calls may go
    double share = 1;
    bool configured = false;
    std::unique_ptr<QuotaPool> limits;  ///< null: no limit of its own
    std::optional<std::uint64_t> max_output;
    std::optional<std::uint64_t> max_in_flight;
    std::uint64_t in_flight = 0;
    std::uint32_t calls = 0;
    ClientQueue queue;
    Timer timer{{}, kNotInHeap, TimerKind::client, this};
};

struct RegionState {
    std::uint64_t in_flight = 0;
    std::uint32_t refs = 0;
    std::vector<TargetState*> targets;
};

struct ClassQueue {
    IndexedHeap<Slot, SlotLess> heads;
    double floor = 0;  ///< counter of the flow served last
    double owed = 0;   ///< quota tokens this class has coming to it
    double backlog = 0;
    double backlog_calls = 0;
    std::uint32_t waiting = 0;
    double active_shares = 0;
    ControlledDelay delay{Instant{}};
};

/// The terms of a target's calls, as the configuration has them.
struct TargetTerms {
    std::string model;  ///< what target.model stands for
    ModelFacts facts;
    std::uint32_t burndown = 1;
    bool reserve_burndown = false;
    std::optional<std::uint64_t> max_in_flight;  ///< of all targets on the pool together
};

/// A target whose tokens of the day are gone: closed for a while, then open for one probe at a
/// time.
struct DayClosure {
    Instant until = Instant::min();
    Duration pause{};
    bool probing = false;  ///< closed for the day but for one probe
    bool probe_out = false;
    bool by_another = false;  ///< another instance has closed it, and probes
};

/// Who waits for a target, and what each client has had of it. Only Waiting changes it.
struct TargetQueue {
    std::array<ClassQueue, kPriorities> classes;
    std::map<std::pair<ClientState*, std::size_t>, std::unique_ptr<Flow>> flows;
    double granted = 0;  ///< tokens ever, as they are expected to settle
};

/// What a target has done, for the status: nothing is decided by it.
struct TargetTally {
    std::uint64_t right_sized = 0;  ///< calls sent with a lowered max_tokens
    std::uint64_t truncated = 0;    ///< of those, cut by it
    std::uint64_t cache_kept = 0;   ///< calls sent here for the prompt cache that is here
    std::uint64_t cache_moved = 0;  ///< calls sent here while their prompt cache is elsewhere
};

struct TargetState {
    Target target;
    std::uint32_t number = 0;  ///< from 1, never reused
    TargetTerms terms;
    QuotaPool* pool = nullptr;
    RegionState* region = nullptr;
    std::shared_ptr<Estimator> estimator;
    Breaker breaker;
    RetryBudget budget;
    UnfitRecord unfit;
    Leavers leavers;
    DayClosure day;
    Held held;  ///< what an operator has ordered, as Overrides has it
    TargetQueue queue;
    TargetTally tally;
    std::uint64_t in_flight = 0;
    std::uint32_t refs = 0;  ///< paths
    bool dirty = false;      ///< listed in the Agenda
    Timer timer{{}, kNotInHeap, TimerKind::target, this};

    TargetState(const RetryConfig& retry, const BreakerConfig& breaker_config)
        : breaker(breaker_config), budget(retry.budget) {}
};

struct PathTarget {
    TargetState* state = nullptr;
    Candidate candidate;
    std::size_t group = 0;       ///< index of the first of its equals
    std::string_view guardrail;  ///< the candidate's, for as long as the engine lives
    std::string_view profile;
};

struct Path {
    PathKey key;
    bool routed = false;
    Duration spill_after{};
    Duration degrade_after{};
    bool right_size = false;
    std::optional<std::uint64_t> max_output;  ///< the route's cap
    std::vector<PathTarget> targets;
    std::vector<std::uint64_t*> skipped;  ///< counters to raise for each call
    std::map<std::pair<ClientState*, std::size_t>, std::unique_ptr<Lane>> lanes;
    std::array<std::uint64_t, kPriorities> waiting{};
    std::uint64_t refs = 0;  ///< calls
    std::uint64_t last_used = 0;
};

/// The history of a call; made at its first failure.
struct History {
    struct Place {
        TargetState* target;
        std::uint32_t server_failures = 0;
        Instant not_before = Instant::min();
        bool barred = false;
        bool failed = false;  ///< its breaker was told of this call
        bool unfit = false;   ///< it refused the call as unfit
    };
    std::vector<Place> places;
    std::optional<Failure> first;
    std::optional<Failure> last;
    std::uint32_t repeats = 0;
    bool repeated_doubtful = false;  ///< a timeout or reset has been repeated once
    bool refreshed = false;

    Place& at(TargetState* target);
    const Place* find(const TargetState* target) const;
};

enum class CallState : std::uint8_t { idle, waiting, granted, sent, begun };

/// What was asked for. Set when the call arrives, and the same until it ends.
struct Asked {
    Priority priority = Priority::standard;
    bool stream = false;
    Input input;
    std::optional<std::uint64_t> max_output;
    OutputKind output_kind = OutputKind::plain;
    std::uint64_t thinking_budget = 0;
    std::uint64_t bytes = 0;
    std::string invocation;
    Witness witness;
    std::uint32_t cache_home = 0;  ///< number of the target with its prompt cache; 0: none
};

/// Where a call waits. Means nothing while it does not; only Waiting changes it.
struct QueuePlace {
    Lane* lane = nullptr;
    std::unique_ptr<Lane> own_lane;
    double rank = 0;
    std::uint64_t sequence = 0;
    double expected = 0;  ///< what it is expected to settle at
    Instant since{};
};

/// One attempt from its grant to its end: where it goes, and what it holds there.
struct Attempt {
    std::size_t index = 0;  ///< of the target in the path; past its end after a reload without it
    TargetState* target = nullptr;
    Flow* flow = nullptr;
    double charged = 0;
    std::uint64_t sent_output = 0;  ///< the max_tokens it was granted with
    bool right_sized = false;
    bool daily_probe = false;
    Reservation reservation;
    Reservation client_reservation;
    Breaker::Permit permit;
    Instant sent_at{};
};

struct CallRecord {
    CallId id;
    CallState state = CallState::idle;
    Asked asked;
    Instant arrival{};
    Instant deadline{};
    Duration waited{};
    Path* path = nullptr;
    ClientState* client = nullptr;
    std::uint32_t sends = 0;
    std::uint32_t attempts = 0;  ///< of the sends, those that count against max_attempts
    bool full_output = false;    ///< a lowered max_tokens has cut its answer: not again
    std::unique_ptr<History> history;
    TargetState* first_target = nullptr;
    TargetState* last_target = nullptr;  ///< of the attempt that ended last
    QueuePlace queued;
    Attempt attempt;
    std::uint32_t heap_pos = kNotInHeap;  ///< in its lane
    Timer timer{{}, kNotInHeap, TimerKind::call, this};
};

inline bool CallLess::operator()(const CallRecord& a, const CallRecord& b) const {
    return a.queued.rank != b.queued.rank ? a.queued.rank < b.queued.rank
                                          : a.queued.sequence < b.queued.sequence;
}

inline bool SlotLess::operator()(const Slot& a, const Slot& b) const {
    if (a.fallback != b.fallback) {
        return b.fallback;
    }
    if (a.flow->counter != b.flow->counter) {
        return a.flow->counter < b.flow->counter;
    }
    if (a.lane->head->arrival != b.lane->head->arrival) {
        return a.lane->head->arrival < b.lane->head->arrival;
    }
    return a.lane->sequence < b.lane->sequence;
}

}  // namespace weir::policy
