#include "policy/unknown_past.h"

#include <algorithm>
#include <utility>

namespace weir::policy {

namespace {
// Without a verdict at once, while nothing has been refused.
constexpr std::size_t kFew = 2;
// One more for so many that were accepted.
constexpr std::uint64_t kPart = 16;
// Refusals come sooner, even across an ocean.
constexpr Duration kRefusalTime = std::chrono::milliseconds(200);
// In parts of a window: the first wait after a refusal without a limit, and the pace after it.
constexpr int kFirstWait = 12;
constexpr int kFirstPace = 24;
// Each acceptance shortens the pace to this part, until a refusal has said what is too fast.
constexpr double kQuicker = 0.7;
// Slower than what was accepted in the mean by so much.
constexpr double kSafe = 1.3;
constexpr std::uint32_t kMost = 3;
}  // namespace

void UnknownPast::begin(Instant start, Instant until) {
    phase_ = Phase::watching;
    start_ = start;
    until_ = until;
}

std::size_t UnknownPast::allowed() const {
    const std::size_t few = accepted_ == 0 || spent() ? 1 : kFew;
    return std::max<std::size_t>(few, accepted_ / kPart);
}

Instant UnknownPast::opens_at() const {
    if (!active()) {
        return Instant::min();
    }
    const Instant next = std::min(next_, until_);
    if (out() < allowed()) {
        return next;
    }
    return sent_.empty() ? Instant::max() : std::max(next, sent_.front() + kRefusalTime);
}

void UnknownPast::tick(Instant now) {
    if (!active()) {
        return;
    }
    while (!sent_.empty() && now >= sent_.front() + kRefusalTime) {
        const Instant sent = sent_.front();
        sent_.pop_front();
        taken_in(sent);
    }
    if (now >= until_) {
        phase_ = Phase::known;
        sent_ = {};
        unsent_ = 0;
    }
}

/// One that was sent at `sent` counts as accepted.
void UnknownPast::taken_in(Instant sent) {
    if (spent() && sent <= refused_at_) {
        return;
    }
    ++accepted_;
    if (paced_ && quickening_) {
        pace_ = std::chrono::duration_cast<Duration>(pace_ * kQuicker);
        next_ = std::min(next_, sent + pace_);
    }
}

UnknownPast::Ticket UnknownPast::take() {
    if (!active()) {
        return {};
    }
    ++unsent_;
    return {.out = true, .sent = Instant::min()};
}

void UnknownPast::sent(Ticket& ticket, Instant now) {
    if (!active() || !ticket.out || ticket.sent != Instant::min()) {
        return;
    }
    --unsent_;
    ticket.sent = now;
    sent_.push_back(now);
    if (paced_) {
        next_ = std::max(next_, now + pace_);
    }
}

/// The attempt is over; true if it was without a verdict until now.
bool UnknownPast::forget(Ticket& ticket) {
    if (!active() || !std::exchange(ticket.out, false)) {
        return false;
    }
    if (ticket.sent == Instant::min()) {
        --unsent_;
        return true;
    }
    const auto at = std::ranges::lower_bound(sent_, ticket.sent);
    if (at == sent_.end() || *at != ticket.sent) {
        return false;
    }
    sent_.erase(at);
    return true;
}

bool UnknownPast::accepted(Ticket& ticket) {
    if (!forget(ticket)) {
        return false;
    }
    taken_in(ticket.sent);
    return true;
}

void UnknownPast::lost(Ticket& ticket) {
    forget(ticket);
}

void UnknownPast::refused(Ticket& ticket, bool limited, Instant now) {
    const Instant sent = ticket.sent;
    forget(ticket);
    if (!active()) {
        return;
    }
    const bool last = ++refusals_ >= kMost;
    if (spent() && sent <= refused_at_) {  // it was on its way when another was refused
        next_ = last ? until_ : next_;
        return;
    }
    const bool first = !spent();
    const std::uint64_t accepted_since = first ? 0 : accepted_;
    if (first) {
        phase_ = Phase::spent;
        first_refused_ = now;
        accepted_ = 0;
    }
    refused_at_ = now;
    paced_ = !limited;
    if (last) {
        next_ = until_;
    } else if (first) {
        pace_ = window_ / kFirstPace;
        next_ = limited ? now : now + window_ / kFirstWait;
    } else if (accepted_since == 0) {
        next_ = now + (until_ - now) / 2;
    } else {
        const Duration mean = (now - first_refused_) /
                              static_cast<int>(std::min<std::uint64_t>(accepted_since, 1'000'000));
        pace_ = std::chrono::duration_cast<Duration>(mean * kSafe);
        quickening_ = false;
        next_ = now + 2 * mean;
    }
}

}  // namespace weir::policy
