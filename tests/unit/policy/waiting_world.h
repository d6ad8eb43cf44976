// The queue without the engine: calls enter and leave it by hand, and every target is taken to have
// room.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "policy/waiting.h"
#include "unit/policy/rooms_world.h"

namespace weir::policy {

class WaitingTest : public RoomsTest {
protected:
    Waiting& waiting() {
        if (!waiting_) {
            waiting_.emplace(agenda);
            waiting_->configure(config);
        }
        return *waiting_;
    }

    /// A head may use each target at once, unless a test says otherwise.
    std::function<Instant(std::size_t)> eligible_at = [this](std::size_t) { return now; };

    void place(Lane& lane) { waiting().place(lane, now, eligible_at); }
    void join(CallRecord& call, bool at_head = false) {
        Lane* lane = waiting().join(call, at_head, now);
        if (lane->head == &call) {
            place(*lane);
        }
    }
    CallRecord& wait(const Asks& asks) {
        now += 1ms;
        CallRecord& r = call(asks);
        join(r);
        return r;
    }
    void leave(CallRecord& call) {
        if (Lane* lane = waiting().leave(call, now)) {
            place(*lane);
        }
    }
    /// The target takes the call whose turn it is; null: nobody waits for it.
    CallRecord* take(const TargetState& target) {
        Slot* slot = Waiting::next(target);
        if (slot == nullptr) {
            return nullptr;
        }
        CallRecord& next = *slot->lane->head;
        const std::size_t index = slot->index;
        Waiting::served(*slot, next);
        leave(next);
        const Amount held = held_cost(next, target, index);
        begin(next, index);
        waiting().charge(next, held, now);
        return &next;
    }
    std::string takes(const TargetState& target, int calls) {
        std::string who;
        for (int i = 0; i < calls; ++i) {
            const CallRecord* next = take(target);
            who += next == nullptr ? "-" : next->client->name;
        }
        return who;
    }
    static Slot& slot(const CallRecord& call, std::size_t index = 0) {
        return call.queued.lane->slots[index];
    }
    static Flow& flow(const CallRecord& call, std::size_t index = 0) {
        return *slot(call, index).flow;
    }
    static ClassQueue& queue(TargetState& target, Priority priority = Priority::standard) {
        return target.queue.classes[static_cast<std::size_t>(priority)];
    }
    void two_regions() { route({{"us-east-1", ""}, {"us-west-2", ""}}); }

    Agenda agenda;

private:
    std::optional<Waiting> waiting_;
};

}  // namespace weir::policy
