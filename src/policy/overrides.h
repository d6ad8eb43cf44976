// What operators, and alarms in their place, have ordered for targets, classes of calls and
// clients.
#pragma once

#include <weir/engine.h>
#include <weir/time.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::policy {

/// What is in force at one target.
struct Held {
    bool any = false;
    Hold hold = Hold::open;
    Instant until = Instant::min();

    bool closed(Instant now) const { return any && hold == Hold::closed && now < until; }
    /// A call that has another target does not go there.
    bool avoided(Instant now) const { return any && hold != Hold::open && now < until; }
};

/// Which of `orders`, the latest last, is in force at the target; null: none.
const Override* in_force(std::span<const Override> orders, const Target& target);

/// The orders, each for a time. An operator's wins over an alarm's, then the later over the earlier
/// one.
///
/// Invariant: at most kMost overrides and kMost pauses, one pause for each client and `by`, and one
/// shedding for each class and `by`.
class Overrides {
public:
    static constexpr std::size_t kMost = 200;

    /// False: there are too many.
    bool hold(const Override& order, Instant now);
    std::size_t release(const TargetFilter& targets, std::string_view by, Instant now);
    void shed(const Shedding& order, Instant now);
    /// False: there are too many.
    bool pause(const Pause& order, Instant now);

    /// What is in force at this target; `by`, if given, is set to the order itself.
    Held held(const Target& target, Instant now, const Override** by = nullptr) const;
    /// Calls of this class are refused until then; Instant::min(): they are not.
    Instant shed_until(Priority priority, Instant now) const;
    /// The calls of this client are refused until then; Instant::min(): they are not. Calls without
    /// a client's name are those of `none`, as in the metrics.
    Instant paused_until(std::string_view client, Instant now) const;

    /// When the next order ends; Instant::max(): there is none.
    Instant next_end() const { return next_end_; }
    /// Forgets the orders that have ended, and returns a line for the log for each.
    std::vector<std::string> expire(Instant now);

    std::vector<Override> overrides(Instant now) const;
    std::vector<Shedding> shedding(Instant now) const;
    std::vector<Pause> paused(Instant now) const;

private:
    struct Order {
        Override what;
        Instant until;
    };
    struct Shed {
        Shedding what;
        Instant until;
    };
    struct Paused {
        Pause what;
        Instant until;
    };
    void find_next_end();

    std::vector<Order> orders_;  // the latest comes last
    std::vector<Shed> shed_;
    std::vector<Paused> paused_;  // by the client's name
    Instant next_end_ = Instant::max();
};

}  // namespace weir::policy
