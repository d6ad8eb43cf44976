// One limit of one kind: how much may be used in a window, and how much is.
#pragma once

#include <weir/engine_state.h>
#include <weir/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/learned_limit.h"
#include "policy/shared_quota.h"
#include "policy/sliding_log.h"
#include "policy/window_shapes.h"

namespace weir::policy {

/// One part in this many of a limit stays unused, in case an estimate is wrong.
inline constexpr std::uint64_t kHeadRoom = 200;
/// What calls may use of a limit.
constexpr std::uint64_t usable_part(std::uint64_t limit) {
    return limit - limit / kHeadRoom;
}
/// A limit of which calls may use `needed`.
constexpr std::uint64_t limit_for(std::uint64_t needed) {
    return needed + needed / (kHeadRoom - 1);
}

/// Counts use against a limit over a sliding window. What is granted but not yet sent is held
/// outside the log: the service cannot have counted it, and it must not expire before the service
/// does.
///
/// A meter without a limit is open until refusals agree on one (LearnedLimit). A learned limit is
/// then used like a told one, but that a call which it holds back may go beyond it as a probe.
///
/// A limit of the service's has a minute of unknown shape (WindowShapes): once shapes are ruled
/// out, those that are left decide, the log being one of them. Where they do not agree, one call at
/// a time is let through as a probe. What the log has no room for goes out a few at first and more
/// as they are accepted, lest one misleading answer cost a burst of refusals. And somebody else may
/// draw on the same quota: a refusal that no shape explains is put down to foreign use, which is
/// then left free, less and less.
///
/// An amount's doubt, the part that is margin for a wrong estimate, is not logged: what calls under
/// way are wrong by adds up as the root of the sum of squares, and that is kept free beside them.
///
/// Invariant: used() == held + logged + that margin. A limit of our own: fits() only if used() +
/// amount <= ceiling(); the service's: only if shapes of nine tenths of the weight allow it, or as
/// a probe.
class Meter {
public:
    /// Whose window it is: ours slides, exactly; the service's has a shape to be found out.
    enum class Window : std::uint8_t { ours, service };

    /// What an attempt was when it was sent; given back with its answer.
    struct Trial {
        WindowShapes::Forecast forecast;
        std::uint64_t reach = 0;     ///< what was used with it
        std::uint32_t doubt = 0;     ///< the part of its amount that is margin, not expected
        std::uint32_t refusals = 0;  ///< had been answered when it was sent
        bool suspected = false;      ///< others were thought to use the quota
        bool probe = false;
        bool beyond = false;  ///< the log had no room for it; the shapes left had
    };

    Meter(LimitKind kind, Duration window, Duration slack, Window whose);

    void configure(std::optional<std::uint64_t> limit);

    /// Forgets what expired.
    void tick(Instant now);

    /// The limit less half a per cent of head-room; nullopt: open.
    std::optional<std::uint64_t> ceiling() const { return ceiling_; }
    std::optional<std::uint64_t> limit() const {
        return configured_ ? configured_ : learned_.limit();
    }
    bool learned() const { return !configured_ && learned_.limit(); }
    LimitKind kind() const { return kind_; }
    Window whose() const { return whose_; }

    std::uint64_t used() const {
        return under_way_.expected + log_.used() + under_way_.margin + by_others();
    }
    std::uint64_t reserved() const { return under_way_.reserved; }
    bool fits(std::uint64_t amount) const;
    /// What others are thought to use of the limit now.
    std::uint64_t foreign() const;
    /// What other instances use of it, by the shared books; part of used().
    std::uint64_t by_instances() const { return by_others(); }
    /// The highest use of a window that the service has accepted lately.
    std::uint64_t accepted_peak() const { return learned_.peak(); }
    /// Since a refusal last confirmed a learned limit; zero: it is not learned.
    Duration confirmed_ago() const;
    const WindowShapes& shapes() const { return shapes_; }
    /// Other instances draw on the same limit: what they use counts, and the log alone decides, for
    /// it is the log that all have in common. Null: no others. `shared` outlives this or the next
    /// call.
    void share(const SharedQuota* shared) { shared_ = shared; }
    /// What is to be told to the other instances of a limit that is learned.
    BookExchange::Learned lesson();
    /// What they have told.
    void adopt(const SharedQuota::Learned& told);

    /// When `amount` fits if nothing but expiry happens; Instant::max() if that alone never makes
    /// it.
    Instant fits_at(std::uint64_t amount, Instant now) const;
    /// What may go before `amount` does and still leave it room when it gets its own by expiry.
    std::uint64_t spare_beside(std::uint64_t amount) const;
    /// When `need`, which may be more than the limit, is expected to have found room: at the pace
    /// the window frees it and calls in flight give back `settling` within `service_seconds`.
    Instant turn_at(double need, double settling, double service_seconds, Instant now) const;
    Duration window() const { return log_.window(); }

    // The life of one reservation: hold, stamp, then one of release, refund, keep or settle.
    void hold(std::uint64_t amount, Trial& trial);
    void stamp(std::uint64_t amount, Instant now, Trial& trial);
    void release(std::uint64_t amount, Trial& trial);
    void refund(std::uint64_t amount, Instant stamped, Trial& trial);
    void keep(std::uint64_t amount, std::uint64_t surplus, Instant now, Trial& trial);
    void settle(std::uint64_t amount, std::uint64_t actual, Instant stamped, Instant now,
                Trial& trial);

    /// The attempt's answer, if it says something on this limit; none: it ended without one.
    /// shed: refused, but not by what is used of this limit.
    enum class Answer : std::uint8_t { none, accepted, refused, shed };
    /// True if others may go now that could not before it.
    bool answered(Trial& trial, Answer answer, std::uint64_t amount, Instant now);

    /// Our own use explains why the service refused `amount`.
    bool explained(const Trial& trial, std::uint64_t amount) const;
    /// A refusal of `amount` that neither a shape of the minute nor a likely use by others
    /// explains.
    bool far_from_limit(const Trial& trial, std::uint64_t amount) const;
    /// Refusals begin. If it turns out that they are no use by others, what was thought of that
    /// before them stands again.
    void remember_foreign();
    void not_foreign();

    /// The service refused what was sent as `trial` and reached `reach`. `still_logged`: the amount
    /// stays in the log though the service accepted nothing. `news`: see LearnedLimit.
    void refused(std::uint64_t amount, std::uint64_t reach, bool still_logged, bool news,
                 Instant now);

    /// What of the log, stamped then, is expected to come back.
    struct Returning {
        Instant stamped{};
        std::uint64_t amount = 0;
    };
    EngineState::Meter remember(const std::vector<Returning>& returning, Instant now) const;
    /// What was remembered `age` ago holds here, where nothing has happened yet.
    void recall(const EngineState::Meter& past, Duration age, Duration unrecorded, Instant now);
    /// Until then no call goes as a probe for more than the log allows.
    void put_off_probes(Instant until) { probes_.put_off_until = until; }
    /// The limit turns out to have been used up before `start`: what nobody knows of is forgotten
    /// evenly until a window is over. Meanwhile the log alone decides, and answers say nothing on
    /// the shape of the minute.
    void spent_before(Instant start, Instant until, Instant now);

    /// What is logged and learned in `from`, of the same kind and window, holds here from now on.
    /// `first`: nothing has been inherited yet. Until `shared_until` both have the same past.
    void inherit(Meter& from, bool first, Instant shared_until, Instant now);
    /// An attempt under way is `to`'s from now on.
    void hand_over(std::uint64_t amount, bool stamped, Trial& trial, Meter& to);

private:
    /// What others are thought to have used of the limit, then; it fades.
    struct Foreign {
        double tokens = 0;
        Instant since{};
    };
    /// Calls that the log has no room for, sent because the shapes left have. More may go as they
    /// are accepted.
    struct Beyond {
        std::uint32_t out = 0;
        std::uint32_t allowed = 1;
    };
    /// Probes go in rounds: one after the other, as long as none is refused.
    struct Probes {
        bool going_on = false;
        std::uint64_t probed = 0;  ///< in this round
        Instant last = Instant::min();
        Instant next = Instant::min();
        Duration pause{};  ///< between rounds
        Instant put_off_until = Instant::min();
    };
    /// What calls under way hold.
    struct UnderWay {
        std::uint64_t expected = 0;  ///< of those not sent yet, without their doubt
        std::uint64_t reserved = 0;  ///< of all, whole
        double doubts = 0;           ///< the sum of squares, of what is reserved
        std::uint64_t margin = 0;    ///< its root
    };

    bool mirrored() const { return whose_ == Window::service; }
    bool shaped() const { return mirrored() && ceiling_.has_value(); }
    /// The shapes decide, and not the log alone.
    bool by_mirrors() const { return shaped() && shared_ == nullptr && now_ >= log_alone_until_; }
    std::uint64_t by_others() const;
    std::uint64_t surely_by_others(Instant now) const;
    Instant frees(std::uint64_t amount) const;
    std::uint64_t freed_by(Instant at) const;
    /// Requests are charged once and for good: no shape serves more of them over time than the log
    /// does, so there is nothing to be won by going beyond it.
    bool goes_beyond() const {
        return kind_ == LimitKind::tokens || kind_ == LimitKind::input_tokens;
    }
    void set_ceiling();
    void set_doubts(double squares);
    /// Of one that ends; returns what of `amount` was expected.
    std::uint64_t end_doubt(std::uint64_t amount, Trial& trial);
    double foreign_at(Instant at) const;
    bool suspects() const;
    /// Some shape of the minute had foretold the refusal of what was sent as `trial`.
    bool by_shapes(const Trial& trial) const;
    double full_limit() const;
    double refill() const;
    void learn_accepted(const Trial& trial, std::uint64_t amount, Instant now);
    /// The ceiling less what is left to others.
    std::optional<std::uint64_t> top() const;
    WindowShapes::Ask ask(std::uint64_t amount) const;
    bool log_allows(std::uint64_t amount) const;
    bool allowed(std::uint64_t amount) const;
    bool may_probe(std::uint64_t amount) const;
    Instant probe_at() const;
    Instant log_fits_at(std::uint64_t amount, std::uint64_t top, Instant now) const;
    Instant log_turn_at(double need, double ceiling, double settling, double service_seconds,
                        Instant now) const;

    LimitKind kind_;
    SlidingLog log_;
    SlidingLog refused_;  // part of log_ that the service did not accept
    Window whose_;
    WindowShapes shapes_;
    Instant now_ = Instant::min();
    Foreign foreign_;
    Foreign foreign_before_;  // see remember_foreign
    std::uint32_t refusals_ = 0;
    Beyond beyond_;
    Probes probes_;
    UnderWay under_way_;
    Instant log_alone_until_ = Instant::min();
    const SharedQuota* shared_ = nullptr;
    double returned_ = 0;  // by a call when it is settled, in the mean
    std::optional<std::uint64_t> configured_;
    LearnedLimit learned_;
    std::optional<std::uint64_t> ceiling_;  // of limit(), whichever of the two that is
};

}  // namespace weir::policy
