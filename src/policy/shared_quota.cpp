#include "policy/shared_quota.h"

#include <algorithm>
#include <utility>

#include "policy/shared_quota_constants.h"

namespace weir::policy {

using namespace sharing;

SharedQuota::SharedQuota(std::string key, Duration window, Duration slack, Instant now)
    : key_(std::move(key)),
      window_(window),
      slack_(slack),
      now_(now),
      view_(logs(window, slack), logs(window, slack)),
      told_(window),
      alone_(logs(window, slack)),
      alone_settled_(logs(window, slack)) {
    pace_.heard = now;
    pace_.heard_beat = kBeat;
}

bool SharedQuota::News::any() const {
    return sharing::any(spent) || sharing::any(returned) || !charges.empty() || !refused.empty() ||
           std::ranges::any_of(learned, [](const auto& l) { return l.limit > 0 || l.refused; });
}

void SharedQuota::tick(Instant now) {
    now_ = std::max(now_, now);
    if (pace_.heard == Instant{}) {
        pace_.heard = now_;
    }
    for (std::size_t b = 0; b < kBooks; ++b) {
        view_.others[b].expire(now_);
        view_.pending[b].expire(now_);
        alone_[b].expire(now_);
        alone_settled_[b].expire(now_);
    }
    told_.expire(now_);
}

/// What others were granted since the last answer is not known: they have all that was not offered
/// to somebody. Later there is room here as the rest expires, once the store counts that too.
void SharedQuota::stand_alone(const BookAmounts& used) {
    if (mode_ == Mode::joined || talk_.acknowledged == 0) {
        return;
    }
    const BookAmounts went = untold();
    const bool begins = !std::exchange(view_.others_full, true);
    if (begins) {
        view_.went_before = went;
    }
    const BookAmounts kept = withheld();
    const bool expiries_count = !begins && now_ >= alone_from();
    const std::int64_t n = view_.instances;
    BookAmounts taken{};
    for (std::size_t b = 0; b < kBooks; ++b) {
        if (limits_[b] < 0) {
            continue;
        }
        const std::int64_t since = std::max<std::int64_t>(0, went[b] - view_.went_before[b]);
        const std::int64_t offer = std::max<std::int64_t>(0, view_.alone[b] - since);
        const std::int64_t free =
            std::max<std::int64_t>(0, limits_[b] - used[b] - kept[b] - (n - 1) * went[b]);
        taken[b] = expiries_count ? 0 : std::max<std::int64_t>(0, free - n * offer);
        view_.others[b].add(now_, static_cast<std::uint64_t>(taken[b]));
        add_pending(b, now_, taken[b]);
        view_.alone_left[b] = (free - taken[b]) / n;
    }
    if (any(taken)) {
        view_.filled.emplace_back(now_, taken);
    }
}

std::uint64_t SharedQuota::freed_by_others(Book book, Instant at) const {
    const std::size_t b = index(book);
    const SlidingLog& others = view_.others[b];
    std::uint64_t freed = others.freed_by(at);
    const bool may_be_back = view_.young || now_ < pace_.heard + kMayBeBack;
    if (mode_ == Mode::alone && may_be_back && at >= now_ + kBack) {
        for (const auto& [when, amounts] : view_.filled) {
            freed += when + window_ > at ? static_cast<std::uint64_t>(amounts[b]) : 0;
        }
    }
    return std::min(freed, others.used());
}

/// From then on its part of what expires is withheld for this instance, while it hears nothing.
/// Books that have just begun grant nothing to anybody.
Instant SharedQuota::alone_from() const {
    return view_.young ? now_ : pace_.heard + alone_after(pace_.heard_beat);
}

void SharedQuota::add_pending(std::size_t book, Instant at, std::int64_t amount) {
    SlidingLog& pending = view_.pending[book];
    const std::uint64_t before = pending.used();
    pending.add(at, static_cast<std::uint64_t>(amount));
    view_.pended[book] += static_cast<std::int64_t>(pending.used() - before);
}

/// Expired, and not known to be room.
BookAmounts SharedQuota::withheld() const {
    BookAmounts all{};
    for (std::size_t b = 0; b < kBooks; ++b) {
        const Duration window = alone_[b].window();
        if (now_ < alone_from() + 2 * window + window / 10) {
            all[b] = view_.pended[b] - static_cast<std::int64_t>(view_.pending[b].used());
        }
    }
    return all;
}

bool SharedQuota::limited() const {
    return std::ranges::any_of(limits_, [](std::int64_t limit) { return limit >= 0; });
}

bool SharedQuota::credit_covers(const BookAmounts& amount) const {
    if (now_ >= granted_.lease) {
        return false;
    }
    for (std::size_t b = 0; b < kBooks; ++b) {
        if (limits_[b] >= 0 && amount[b] > granted_.credit[b]) {
            return false;
        }
    }
    return true;
}

bool SharedQuota::covers(const BookAmounts& amount, const BookAmounts& used) const {
    if (!limited() || credit_covers(amount)) {
        return true;
    }
    if (talk_.ends != Talk::Ends::no) {
        return false;
    }
    const bool ready = talk_.acknowledged == 0 ? talk_.lost >= kTries : view_.others_full;
    if (mode_ == Mode::joined || !ready) {
        return false;
    }
    const auto n = static_cast<std::int64_t>(view_.instances);
    const BookAmounts kept = withheld();
    for (std::size_t b = 0; b < kBooks; ++b) {
        if (limits_[b] < 0 || amount[b] == 0) {
            continue;
        }
        const auto alone = static_cast<std::int64_t>(alone_[b].used());
        const std::int64_t room = limits_[b] - used[b] - kept[b] - (n - 1) * alone;
        if (n * amount[b] > room) {
            return false;
        }
    }
    return true;
}

SharedQuota::Ticket SharedQuota::hold(const BookAmounts& amount) {
    note_demand(amount);
    Ticket ticket{
        .seq = 0, .held = now_, .shared = true, .alone = false, .credited = credit_covers(amount)};
    ticket.alone = !ticket.credited && mode_ == Mode::alone;
    for (std::size_t b = 0; b < kBooks; ++b) {
        if (ticket.alone) {
            alone_[b].add(now_, static_cast<std::uint64_t>(amount[b]));
            continue;
        }
        granted_.holding[b] += amount[b];
        granted_.credit[b] -= ticket.credited && limits_[b] >= 0 ? amount[b] : 0;
    }
    return ticket;
}

void SharedQuota::give_back(Ticket& ticket, const BookAmounts& amount) {
    if (!std::exchange(ticket.shared, false)) {
        return;
    }
    for (std::size_t b = 0; b < kBooks; ++b) {
        if (!ticket.alone) {
            granted_.holding[b] -= amount[b];
            granted_.credit[b] += ticket.credited && limits_[b] >= 0 ? amount[b] : 0;
        }
    }
    if (ticket.alone) {
        settle(ticket, amount, {});
    }
}

void SharedQuota::sent(Ticket& ticket, const BookAmounts& amount) {
    if (!ticket.shared || ticket.alone) {
        return;
    }
    ticket.seq = talk_.seq;
    for (std::size_t b = 0; b < kBooks; ++b) {
        granted_.holding[b] -= amount[b];
        news_.spent[b] += amount[b];
    }
}

void SharedQuota::settle(const Ticket& ticket, const BookAmounts& held, const BookAmounts& actual) {
    if (!ticket.shared && !ticket.alone) {
        return;
    }
    for (std::size_t b = 0; b < kBooks; ++b) {
        if (held[b] == 0 && actual[b] == 0) {
            continue;
        }
        // What is beyond the hold counts from now on.
        news_.spent[b] += std::max<std::int64_t>(0, actual[b] - held[b]);
        const std::int64_t settled = std::min(actual[b], held[b]);
        const std::int64_t more = settled - held[b];
        pace_.room_made |= limits_[b] > 0 && -more * kMuch >= limits_[b];
        if (!ticket.alone) {
            told_.settle(ticket.seq, static_cast<Book>(b), more, settled);
        } else if (alone_[b].remove(ticket.held, static_cast<std::uint64_t>(held[b]))) {
            alone_[b].add(ticket.held, static_cast<std::uint64_t>(settled));
            alone_settled_[b].add(ticket.held, static_cast<std::uint64_t>(settled));
        } else {
            told_.settle_alone(static_cast<Book>(b), ticket.held, more, settled);
        }
    }
}

BookExchange::Backlog SharedQuota::elsewhere(std::uint32_t cls, const std::string& client) const {
    if (mode_ == Mode::alone) {
        return {};
    }
    const auto same = std::ranges::find_if(
        view_.elsewhere, [&](const auto& b) { return b.cls == cls && b.client == client; });
    return same == view_.elsewhere.end() ? BookExchange::Backlog{} : *same;
}

BookExchange::Backlog SharedQuota::elsewhere(std::uint32_t cls) const {
    if (mode_ == Mode::alone) {
        return {};
    }
    const auto same = std::ranges::find(view_.classes, cls, &BookExchange::Backlog::cls);
    return same == view_.classes.end() ? BookExchange::Backlog{} : *same;
}

std::optional<double> SharedQuota::counter(const std::string& client) const {
    const auto told = view_.counters.find(client);
    if (told == view_.counters.end()) {
        return std::nullopt;
    }
    const auto more = news_.charges.find(client);
    return told->second + (more == news_.charges.end() ? 0 : more->second);
}

}  // namespace weir::policy
