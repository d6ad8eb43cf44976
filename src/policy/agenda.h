// What the engine has to look at, and when.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "policy/state.h"

namespace weir::policy {

/// Timers, and the targets that may have something to hand out now.
///
/// Invariants: a timer is listed at most once, at its own `at`; a target is listed exactly while
/// its `dirty` is set.
class Agenda {
public:
    /// Instant::max(): never.
    void arm(Timer& timer, Instant at) {
        if (at == Instant::max()) {
            disarm(timer);
            return;
        }
        timer.at = at;
        if (armed(timer)) {
            timers_.update(&timer);
        } else {
            timers_.push(&timer);
        }
    }

    /// As arm(), unless it goes off before `at` anyway.
    void arm_by(Timer& timer, Instant at) {
        if (!armed(timer) || at < timer.at) {
            arm(timer, at);
        }
    }

    void disarm(Timer& timer) {
        if (armed(timer)) {
            timers_.erase(&timer);
        }
    }

    static bool armed(const Timer& timer) { return timer.heap_pos != kNotInHeap; }

    void dirty(TargetState* target) {
        if (!target->dirty) {
            target->dirty = true;
            dirty_.push_back(target);
        }
    }

    /// The target that was listed last, taken off the list; null: none is listed.
    TargetState* take_dirty() {
        if (dirty_.empty()) {
            return nullptr;
        }
        TargetState* target = dirty_.back();
        dirty_.pop_back();
        target->dirty = false;
        return target;
    }

    /// The timer that is due by `now`; null: none.
    Timer* due(Instant now) const {
        return !timers_.empty() && timers_.top()->at <= now ? timers_.top() : nullptr;
    }

    bool any_dirty() const { return !dirty_.empty(); }

    /// When the next timer goes off.
    std::optional<Instant> next() const {
        return timers_.empty() ? std::nullopt : std::optional(timers_.top()->at);
    }

    /// The target is about to go.
    void forget(TargetState* target) {
        disarm(target->timer);
        std::erase(dirty_, target);
    }

private:
    IndexedHeap<Timer, TimerLess> timers_;
    std::vector<TargetState*> dirty_;
};

}  // namespace weir::policy
