// Learns the shape of the service's quota window from what it accepts and refuses.
#pragma once

#include <weir/engine_state.h>
#include <weir/time.h>

#include <array>
#include <cstdint>

namespace weir::policy {

/// The shape of the service's quota window is not documented. This keeps a model of each possible
/// shape, its mirror: a sliding window, a bucket that holds a window's or a sixth of a window's
/// quota and refills steadily, a clock minute in twelve phases. Every attempt is charged to all of
/// them, and a mirror that predicted an answer wrongly loses weight.
///
/// The sliding window's mirror is the limiter's own log; its use is handed in.
///
/// A clock minute's phase is known to a twelfth of the window: its mirror accepts only what any
/// phase within that twelfth would accept, and predicts a refusal only where all would refuse.
///
/// Invariants: weights sum to 1 and none is below kFloor (before scaling); amounts are never
/// negative; constant memory.
class WindowShapes {
public:
    static constexpr std::size_t kPhases = 12;
    static constexpr std::size_t kShapes = 3 + kPhases;
    enum Shape : std::size_t { sliding = 0, bucket = 1, short_bucket = 2, clock = 3 };

    /// The prediction of each shape for one attempt; a bit per shape. Neither: too close.
    struct Forecast {
        std::uint16_t accepts = 0;
        std::uint16_t refuses = 0;
        bool tells() const { return accepts != 0 && refuses != 0; }
    };

    /// A question to the shapes: `amount` more, on top of what is `held` but not sent yet and
    /// `used` by the sliding log, against `limit`.
    struct Ask {
        double amount = 0;
        double held = 0;
        double used = 0;
        double limit = 0;
        double ending = 0;  ///< of `used`, what the service may have forgotten already
        double doubt = 0;   ///< of all these and what is charged, so much may not be true
    };

    /// Waiting calls that need `amount` together, which may be more than the limit. Calls under way
    /// give back `settling` within `service_seconds`.
    struct Backlog {
        double amount = 0;
        double held = 0;
        double limit = 0;
        double settling = 0;
        double service_seconds = 0;
    };

    /// `slack`: how much later than `sent` the service may count.
    WindowShapes(Duration window, Duration slack);

    /// Forgets what has expired; `limit` is a window's quota, by which buckets refill.
    void advance(Instant now, double limit);

    /// Adds what other mirrors, advanced to the same time, have been charged; what they have found
    /// out does not count. `kin`: much of it was charged to both.
    void merge(const WindowShapes& other, bool kin);

    /// Weights and debts; what was charged is in the log.
    void remember(EngineState::Meter& out) const;
    /// As remembered `age` before now. To be advanced before; charges follow by recall_charge().
    void recall(const EngineState::Meter& past, Duration age);
    void recall_charge(Instant at, double amount);

    void charge(Instant at, double amount);
    /// `amount` of what was charged at `stamped` was not used after all.
    void refund(Instant stamped, double amount);
    /// The service refused `amount`, which is no longer charged: no bucket had that much. Unlike a
    /// window, a bucket forgets nothing before it is full, so a mirror that is wrong would stay so
    /// for as long as the load lasts.
    void refused(double amount);

    Shape likeliest() const { return likeliest_; }
    /// By how much the limit would have to be less for shapes of more than `weight` to refuse.
    double overlooked(const Ask& ask, double weight) const;

    /// The weight of the shapes that would accept it now, from 0 to 1.
    double acceptance(const Ask& ask) const;
    /// When shapes of at least `weight` accept it if nothing but expiry happens. `sliding_at`: when
    /// the log does. Instant::max(): never.
    Instant accepted_at(const Ask& ask, double weight, Instant sliding_at) const;
    /// When the first shape does.
    Instant possible_at(const Ask& ask, Instant sliding_at) const;
    /// When the likeliest shape is expected to have found room for what waits. `sliding_at`: when
    /// the log is.
    Instant turn_at(const Backlog& backlog, Instant sliding_at) const;

    Forecast forecast(const Ask& ask) const;
    /// `wrong`: what remains of the weight of a shape that foretold otherwise. `probe`: it was sent
    /// although shapes of some weight would not have sent it.
    void learn(const Forecast& forecast, bool accepted, double wrong, bool probe = false);
    /// The weight of the shapes in a set, from 0 to 1.
    double weight_of(std::uint16_t shapes) const;

    double weight(std::size_t shape) const { return weights_[shape]; }
    /// Of all clock phases together.
    double clock_weight() const { return clock_weight_; }

private:
    static constexpr std::size_t kSlots = 16;  // of a twelfth of a window each; 14 are in use

    std::int64_t slot_of(Instant at) const;
    /// The slot of what is sent `at`, as late as the service may count it: a clock that turns
    /// meanwhile has it in its new minute.
    std::int64_t charged_in(Instant at) const;
    double& slot(std::int64_t index) { return slots_[static_cast<std::size_t>(index & 15)]; }
    /// Charged since the start of slot `from`, which is one of the last 13.
    double since(std::int64_t from) const {
        return since_[static_cast<std::size_t>(current_ + 1 - from)];
    }
    void add(std::int64_t index, double amount);
    void sum_up();
    double room(std::size_t shape, const Ask& ask) const;
    bool fits(std::size_t shape, const Ask& ask) const { return room(shape, ask) >= ask.amount; }
    /// Whether no shape comes near refusing it, which is so most of the time and told at a glance.
    /// `margin`: what is to be left of the smallest shape's room.
    bool room_for_all(const Ask& ask, double margin) const;
    Instant paced_at(const Ask& ask) const;
    Instant fits_at(std::size_t shape, const Ask& ask, Instant sliding_at) const;
    Instant when_refilled(double missing, const Backlog& backlog) const;
    /// The latest slot, up to now, in which a clock of this phase turns.
    std::int64_t turn_slot(std::size_t phase) const;
    void enter_slot(std::int64_t index);
    /// Scaled to a sum of 1, none below the floor.
    void set_weights(const std::array<double, kShapes>& weights);

    Duration window_;
    Duration slack_;
    Duration width_;
    Instant now_ = Instant::min();
    double limit_ = 0;
    std::int64_t current_ = 0;  // the slot of now_
    Instant slot_end_ = Instant::min();
    std::size_t phase_ = 0;  // whose clocks turn in it
    std::array<double, kSlots> slots_{};
    std::array<double, kSlots> since_{};  // by age: the sum of the slots up to that old
    // Of the buckets: what is missing from a full one. Of a window's also without what refusals
    // have said, for the pace.
    std::array<double, 3> debts_{};
    std::array<double, kShapes> weights_{};
    double clock_weight_ = 0;
    Shape likeliest_ = sliding;
};

}  // namespace weir::policy
