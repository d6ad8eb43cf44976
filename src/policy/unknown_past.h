// The first window after a start of which nobody knows what was used before it.
#pragma once

#include <weir/time.h>

#include <cstdint>
#include <deque>
#include <optional>

namespace weir::policy {

/// The window before the start may have been spent in full, or not at all: a newcomer must not wait
/// a minute, and a restart under load must not cost a burst of refusals. So calls go at once, but
/// few of them at a time are without a verdict: an answer, or a silence longer than refusals take.
/// More go the more have been accepted.
///
/// The first refusal is the news that the past was spent. What to let go then is the pool's
/// business where it has a limit: its log takes the past over. Without a limit the pace is found
/// out: one call at a time, each sooner after the last, until the next refusal says what was too
/// fast. A second refusal waits for half of what is left of the window if nothing was accepted
/// since the first. After a third one nothing goes until the window is over: then whatever was used
/// before the start is forgotten by a window of any shape.
///
/// Invariant: from the start to the end of the first window at most kMost refusals, or as many as
/// one for each kPart calls that were accepted before the first of them.
class UnknownPast {
public:
    /// What an attempt was let go as. Belongs to the attempt until its end.
    struct Ticket {
        bool out = false;  ///< without a verdict
        Instant sent = Instant::min();
    };

    explicit UnknownPast(Duration window) : window_(window) {}

    /// The past ends at `start`, and matters until `until`.
    void begin(Instant start, Instant until);
    bool active() const { return phase_ != Phase::known; }
    /// A refusal has told that it was spent.
    bool spent() const { return phase_ == Phase::spent; }
    Instant start() const { return start_; }
    Instant until() const { return until_; }

    /// When the next attempt may go; Instant::max(): once one that is under way is sent or over.
    Instant opens_at() const;
    void tick(Instant now);

    Ticket take();
    void sent(Ticket& ticket, Instant now);
    /// True if more attempts may go now.
    bool accepted(Ticket& ticket);
    /// `limited`: the pool's log knows how fast calls may go.
    void refused(Ticket& ticket, bool limited, Instant now);
    /// The attempt ended without an answer that says anything on the quota.
    void lost(Ticket& ticket);

private:
    enum class Phase : std::uint8_t { known, watching, spent };

    /// Attempts that may be without a verdict.
    std::size_t allowed() const;
    std::size_t out() const { return unsent_ + sent_.size(); }
    void taken_in(Instant sent);
    bool forget(Ticket& ticket);

    Duration window_;
    Phase phase_ = Phase::known;
    Instant start_{};
    Instant until_{};
    std::uint64_t accepted_ = 0;  // since the start, or since the first refusal
    std::size_t unsent_ = 0;
    std::deque<Instant> sent_;  // those without a verdict, oldest first
    // After the first refusal.
    std::uint32_t refusals_ = 0;
    Instant refused_at_ = Instant::min();
    Instant first_refused_ = Instant::min();
    bool paced_ = false;
    Duration pace_{};
    bool quickening_ = true;
    Instant next_ = Instant::min();
};

}  // namespace weir::policy
