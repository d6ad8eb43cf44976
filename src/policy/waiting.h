// The queue: who waits, who is next, and what stands before whom.
#pragma once

#include <weir/config.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "policy/agenda.h"
#include "policy/costs.h"
#include "policy/state.h"

namespace weir::policy {

/// Calls wait in lanes, one for each path, class and client. A target takes its next call from the
/// class that is owed or most urgent; there from those that prefer it; there from the client whose
/// flow has the least counter (Virtual Token Counter: Sheng et al., "Fairness in Serving Large
/// Language Models", OSDI 2024). Whether there is room, and from when a head may use a target, is
/// for others to say.
///
/// Invariants:
/// - a call waits in exactly one lane from join() to leave(); the head of a lane is its least call;
/// - a slot is in its target's heap only between place() with a time that has come and leave() of
///   its lane's head, set_aside() or park();
/// - the counts and the backlog of a client, a path, a flow and a class are those of what waits;
///   where nothing waits, the backlog is exactly 0;
/// - a flow exists while a lane or an attempt refers to it, and its counter is at least that of the
///   least active flow when its first call joins: idle time is not saved up.
class Waiting {
public:
    /// How often the turns of a lane's calls are estimated again, at most.
    static constexpr Duration kReviewEvery = std::chrono::seconds(1);

    explicit Waiting(Agenda& agenda) : agenda_(agenda) {}

    /// Nothing may wait meanwhile.
    void configure(const Config& config);

    // Lanes (waiting.cpp).

    Lane* lane_for(CallRecord& call, Instant now);
    /// The path or the client goes; nothing waits in its lanes.
    void drop_lanes(Path& path);
    void drop_lanes(ClientState& client);

    /// `at_head`: before all others of its lane. A call that has failed somewhere waits in a lane
    /// of its own. Returns its lane; if the call is its head, that is to be placed.
    Lane* join(CallRecord& call, bool at_head, Instant now);
    /// Returns the lane if that has another head now, to be placed; else null.
    Lane* leave(CallRecord& call, Instant now);

    /// Puts the lane's head where it may go now, and sets the time at which that changes by itself.
    /// `eligible_at(i)`: from when the head may use the lane's target i.
    template <class EligibleAt>
    void place(Lane& lane, Instant now, EligibleAt&& eligible_at);
    /// The head may not use this target before `until`, though its queue has come to it.
    void set_aside(Slot& slot, Instant until);
    /// The client's own limit holds the lane's head back: it is to be placed nowhere.
    static void park(Lane& lane);
    /// Returns the client's lanes that were parked, to be placed again.
    std::vector<Lane*> unpark(ClientState& client);

    // Who is next (waiting_order.cpp).

    /// The slot whose turn it is: of the class that is owed, else of the most urgent; there the one
    /// with the least counter. Null: nobody waits here.
    static Slot* next(const TargetState& target);
    /// A call of this class that arrives now has to wait behind somebody at this target.
    static bool others_first(const TargetState& target, std::size_t cls);
    /// The first of the calls behind the head that `fits`; null: none among the first few.
    template <class Fits>
    static CallRecord* beside_head(const Slot& head, Fits&& fits);

    /// The call is about to leave the queue by this slot, for an attempt.
    static void served(const Slot& slot, const CallRecord& call);
    /// An attempt begins that holds `held`, and is charged what it is expected to settle at. What
    /// max_tokens holds for some seconds would put a light client behind by several of its own
    /// turns.
    void charge(CallRecord& call, Amount held, Instant now);
    /// The attempt took this part of the quota, as share_of(); nullopt: as it was charged.
    static void correct(CallRecord& call, std::optional<double> share);
    /// The attempt is over.
    static void release(CallRecord& call);
    /// What the flow's counter is called in books that several instances keep.
    static std::string counter_name(const Flow& flow);
    /// The counters of those who wait are what the books say.
    static void adopt_counters(TargetState& target, const SharedQuota& shared);

    // How long it takes (waiting_depth.cpp).

    /// What is expected to be granted before a call's turn, in settled tokens and in calls.
    struct Ahead {
        double tokens = 0;
        double calls = 0;
    };
    /// Before a call that is to join the slot's flow.
    static Ahead before_newcomer(const Slot& slot);
    /// Before the head of the slot's lane.
    static Ahead before_head(const Slot& slot);
    /// Before a call whose own lane holds the part `part` of its flow's backlog in front of it.
    static Ahead before_waiting(const Slot& slot, double part);

    /// The target's queue of that class is in a standing overload, and this client has a part in
    /// it: its own queue has not been clear for a while. A light client's burst may fill up to
    /// max_wait whatever a heavy one does.
    bool standing(Flow& flow, Instant now) const;
    /// The latest turn with which a call may join this queue.
    Instant let_in_until(Flow& flow, Instant latest, Instant now) const;
    /// Calls of this flow's client and class wait, here or at another instance.
    static bool backlogged(const Flow& flow);
    /// What waits at the instances that share the target's quota is one queue: whether it is empty,
    /// and what it has refused, is judged by what all of them say.
    void hear_others(TargetState& target, Instant now) const;
    /// A call was refused because its turn would come too late: it counts in the depth that the
    /// queue would have had.
    void note_turned_away(const CallRecord& call, Lane& lane, Instant now) const;

    /// Newer calls may go before older ones of the same lane.
    bool newest_first() const { return order_ == Order::adaptive_lifo; }
    /// In a standing overload newer calls go before it until its deadline.
    bool overtaken(const CallRecord& call, const Lane& lane, Instant now) const;
    /// The last call of the lane, if `call` would go before it and is no larger; else null.
    CallRecord* last_behind(CallRecord& call, const Lane& lane, Instant now) const;

    // How many (waiting_depth.cpp).

    std::uint64_t calls() const { return calls_; }
    std::uint64_t bytes() const { return bytes_; }
    enum class Full : std::uint8_t { no, calls, bytes };
    Full full_for(const CallRecord& call) const;
    /// `call` is larger than all that may wait.
    bool never_fits(const CallRecord& call) const { return call.asked.bytes > most_bytes_; }
    /// The newest waiting call of the client that holds most for its share, if that is more than
    /// the client of `call` would hold with it; null: nobody does.
    static CallRecord* newest_of_largest(const CallRecord& call, Full full,
                                         std::span<ClientState* const> clients);

private:
    enum class Order : std::uint8_t { fifo, adaptive_lifo, small_first };
    static constexpr std::size_t kBackfillLooks = 32;  // values that were tried: docs/tuning.md

    std::unique_ptr<Lane> new_lane(Path* path, ClientState* client, std::size_t cls, bool solo,
                                   Instant now);
    void drop(Lane& lane);
    static Flow* flow_for(TargetState& target, ClientState* client, std::size_t cls, Instant now);
    static void release(Flow* flow);
    static void add(Flow& flow, double amount);
    static void reorder(Flow& flow);
    static bool waits_elsewhere(const TargetState* target, std::size_t cls,
                                const std::string* client);
    double rank(const CallRecord& call, const Lane& lane, Instant now) const;

    Agenda& agenda_;
    Order order_ = Order::fifo;
    QueueConfig queue_;
    Duration window_{};
    std::uint64_t most_bytes_ = 0;
    std::uint64_t calls_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t sequence_ = 0;
};

template <class EligibleAt>
void Waiting::place(Lane& lane, Instant now, EligibleAt&& eligible_at) {
    Instant next = Instant::max();
    for (std::size_t i = 0; i < lane.slots.size(); ++i) {
        Slot& slot = lane.slots[i];
        auto& heads = slot.target->queue.classes[lane.cls].heads;
        const Instant at = lane.head != nullptr && !lane.parked ? eligible_at(i) : Instant::max();
        const bool inside = slot.heap_pos != kNotInHeap;
        if (at <= now) {
            if (inside) {
                heads.update(&slot);
            } else {
                heads.push(&slot);
            }
            agenda_.dirty(slot.target);
        } else {
            if (inside) {
                heads.erase(&slot);
            }
            next = std::min(next, at);
        }
    }
    agenda_.arm(lane.timer, std::min(next, lane.review_at));
}

template <class Fits>
CallRecord* Waiting::beside_head(const Slot& head, Fits&& fits) {
    const Lane& lane = *head.lane;
    std::size_t looks = 0;
    for (CallRecord* call : lane.calls.items()) {
        if (++looks > kBackfillLooks) {
            break;
        }
        const bool later = head.fallback && call->arrival > lane.head->arrival;
        if (call != lane.head && !later && fits(*call)) {
            return call;
        }
    }
    return nullptr;
}

}  // namespace weir::policy
