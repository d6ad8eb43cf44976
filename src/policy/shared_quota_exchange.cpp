// What an instance tells the store, when, and what it makes of the answers.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <ranges>
#include <utility>

#include "policy/shared_quota.h"
#include "policy/shared_quota_constants.h"

namespace weir::policy {

using namespace sharing;

namespace {
bool anybody_waits(const std::vector<BookExchange::Backlog>& classes) {
    return std::ranges::any_of(classes, [](const auto& c) { return c.calls > 0; });
}
}  // namespace

void SharedQuota::want(std::vector<BookExchange::Head> heads,
                       std::vector<BookExchange::Backlog> backlog) {
    const auto need = [](const BookExchange::Head& h) { return std::tie(h.client, h.need); };
    const bool same = !heads.empty() && heads.size() == pace_.heads.size() &&
                      std::ranges::equal(heads, pace_.heads, {}, need, need);
    pace_.fresh = pace_.fresh || (!heads.empty() && !same);
    pace_.heads = std::move(heads);
    pace_.backlog = std::move(backlog);
    pace_.heads_at = now_;
}

void SharedQuota::charge(const std::string& client, double amount) {
    news_.charges[client] += amount;
}

void SharedQuota::note_demand(const BookAmounts& amount) {
    const double passed = pace_.rate_at == Instant::min() ? 0 : to_seconds(now_ - pace_.rate_at);
    const double kept = std::exp(-passed);
    for (std::size_t b = 0; b < kBooks; ++b) {
        const auto a = static_cast<double>(amount[b]);
        pace_.rate[b] = pace_.rate[b] * kept + a;
        pace_.mean[b] += (a - pace_.mean[b]) / 16;
    }
    pace_.rate_at = now_;
    pace_.active = now_;
}

/// What is worth having beforehand: nothing where a quota is a few calls.
BookAmounts SharedQuota::ahead() const {
    BookAmounts wanted{};
    const double kept =
        pace_.rate_at == Instant::min() ? 0 : std::exp(-to_seconds(now_ - pace_.rate_at));
    for (std::size_t b = 0; b < kBooks; ++b) {
        if (limits_[b] < 0) {
            continue;
        }
        const std::int64_t most = limits_[b] / kLarge / static_cast<std::int64_t>(view_.instances);
        if (static_cast<double>(most) < pace_.mean[b]) {
            return {};
        }
        const double demand = pace_.rate[b] * kept * kAhead;
        wanted[b] = std::clamp<std::int64_t>(static_cast<std::int64_t>(demand) + 1, 1, most);
    }
    return wanted;
}

/// Went alone, and no exchange has told of it.
BookAmounts SharedQuota::untold() const {
    BookAmounts all{};
    for (std::size_t b = 0; b < kBooks; ++b) {
        all[b] = static_cast<std::int64_t>(alone_[b].used());
    }
    return all;
}

bool SharedQuota::wants_refill() const {
    // Ahead of need nothing is granted while others wait.
    if (!limited() || pace_.active + kIdle < now_ || anybody_waits(view_.classes)) {
        return false;
    }
    const BookAmounts full = ahead();
    for (std::size_t b = 0; b < kBooks; ++b) {
        if (full[b] > 0 && 2 * granted_.credit[b] < full[b]) {
            return true;
        }
    }
    return false;
}

Instant SharedQuota::due() const {
    if (talk_.ends == Talk::Ends::now || (talk_.under_way && !talk_.again)) {
        return Instant::max();
    }
    if (mode_ == Mode::alone && pace_.retry > now_) {
        return pace_.active + kForgotten < now_ ? Instant::max() : pace_.retry;
    }
    if (talk_.ends == Talk::Ends::soon) {
        return now_;
    }
    if (talk_.again || pace_.soon || (pace_.fresh && !pace_.heads.empty())) {
        return now_;
    }
    Instant at = Instant::max();
    const std::uint32_t n = view_.instances;
    if (!pace_.heads.empty()) {
        const Instant again = pace_.asked + asks_again();
        const Instant room = pace_.room > pace_.asked ? pace_.room : Instant::max();
        at = std::min(at, std::max(pace_.asked + kYoungest, std::min(again, room)));
    }
    if (wants_refill()) {
        at = std::min(at, pace_.asked + kYoungest);
    }
    if (news_.any() || told_.has_corrections()) {
        at = std::min(at,
                      pace_.asked + (pace_.room_made ? kYoungest : paced(kTell, n, kLongestAsk)));
    }
    if (pace_.active != Instant::min() && pace_.active + kForgotten > now_) {
        at = std::min(at, pace_.asked == Instant::min() ? now_ : pace_.asked + beat());
    }
    return at == Instant::max() ? at : std::max(at, now_);
}

Duration SharedQuota::asks_again() const {
    if (pace_.turn == 0 && view_.settling > 0) {
        return kNextAsks;
    }
    return pace_.turn < kCrowd ? kAsk : paced(kAsk, view_.instances, kLongestAsk);
}

Duration SharedQuota::beat() const {
    const bool active =
        any(granted_.credit) || any(granted_.holding) || pace_.active + kActive > now_;
    return active ? paced(kBeat, view_.instances, kLongestBeat)
                  : paced(kIdleBeat, view_.instances, kLongestIdleBeat);
}

/// Callers name themselves, and nobody takes it while the store is away.
void SharedQuota::refused(std::uint32_t cls, const std::string& client, double seconds) {
    const auto known = news_.refused.find({cls, client});
    if (known != news_.refused.end()) {
        known->second += seconds;
    } else if (news_.refused.size() < kMostCounted) {
        news_.refused.emplace(ClientKey{cls, client}, seconds);
    }
}

/// What waits, and what was refused since the last exchange.
std::vector<BookExchange::Backlog> SharedQuota::backlog_to_tell() {
    std::vector<BookExchange::Backlog> all = pace_.backlog;
    for (std::size_t n = 0; n < kMostCharges && !news_.refused.empty(); ++n) {
        const auto told = news_.refused.extract(news_.refused.begin());
        const auto& key = told.key();
        const double seconds = told.mapped();
        const auto same = std::ranges::find_if(
            all, [&](const auto& b) { return b.cls == key.first && b.client == key.second; });
        if (same != all.end()) {
            same->refused = seconds;
        } else {
            all.push_back({key.first, key.second, 0, 0, seconds});
        }
    }
    return all;
}

BookExchange SharedQuota::exchange() {
    pace_.asked = now_;
    pace_.fresh = pace_.soon = pace_.room_made = false;
    if (talk_.under_way) {
        talk_.again = false;
        talk_.under_way->untold = untold();
        return *talk_.under_way;
    }
    const bool ends = talk_.ends != Talk::Ends::no;
    if (ends) {
        pace_.heads.clear();
    }
    if (ends || pace_.active + kIdle < now_ || now_ >= granted_.lease) {
        news_.returned = std::exchange(granted_.credit, {});
    }
    pace_.first_asked = now_;
    BookExchange out;
    out.quota = key_;
    out.seq = talk_.seq++;
    out.after = talk_.acknowledged;
    out.window = window_;
    out.leaves = ends;
    out.instances = view_.instances;
    out.limits = limits_;
    out.spent = std::exchange(news_.spent, {});
    out.returned = std::exchange(news_.returned, {});
    out.untold = talk_.untold = untold();
    out.corrections = told_.take_corrections();
    while (!news_.charges.empty() && out.charges.size() < kMostCharges) {
        const auto first = news_.charges.begin();
        out.charges.push_back({first->first, first->second});
        news_.charges.erase(first);
    }
    out.learned = std::exchange(news_.learned, {});
    if (!ends && wants_refill()) {
        out.ahead = ahead();
        for (std::size_t b = 0; b < kBooks; ++b) {
            out.ahead[b] = std::max<std::int64_t>(0, out.ahead[b] - granted_.credit[b]);
        }
    }
    for (const auto& head : pace_.heads) {
        if (out.heads.size() == kMostHeads) {
            break;
        }
        out.heads.push_back(head);
        out.heads.back().waited += now_ - pace_.heads_at;
    }
    out.backlog = backlog_to_tell();
    out.settling = news_.settling;
    out.troubles = news_.troubles;
    out.beat = beat();
    out.alone_epoch = view_.alone_epoch;
    out.alone = view_.others_full ? view_.alone_left : view_.alone;
    out.wants_profile =
        !ends && (mode_ == Mode::alone ||
                  pace_.profile + paced(kProfile, view_.instances, kLongestProfile) <= now_);
    talk_.under_way = out;
    talk_.again = false;
    return out;
}

bool SharedQuota::answered(const BookAnswer& answer, Instant now) {
    tick(now);
    if (!talk_.under_way || answer.seq != talk_.under_way->seq) {
        return false;
    }
    if (talk_.under_way->leaves) {
        talk_.ends = Talk::Ends::now;
        talk_.under_way.reset();
        return false;
    }
    note_told(answer, now);
    note_offer(answer);
    note_limits(answer, now);
    note_waiting(answer);
    talk_.under_way.reset();
    view_.epoch = answer.epoch;
    view_.young = answer.young;
    view_.instances = answer.young ? std::max(view_.instances, answer.instances) : answer.instances;
    if (answer.young) {
        pace_.retry = now + kRetry;
        mode_ = Mode::alone;
        return false;
    }
    const bool was_alone = mode_ == Mode::alone;
    if (was_alone) {
        mode_ = Mode::joined;
        tell_what_went_alone(now);
        pace_.soon = true;
    }
    note_grant(answer, now);
    if (answer.has_profile) {
        pace_.profile = now;
        read_profile(answer, now);
    } else {
        catch_up(answer, now);
    }
    return was_alone || any(answer.granted) || answer.has_profile;
}

/// What the exchange told is known to the store now, and what the store has lost is told again.
void SharedQuota::note_told(const BookAnswer& answer, Instant now) {
    const bool begun_anew = view_.epoch != 0 && answer.epoch != view_.epoch;
    const bool behind = answer.before != talk_.acknowledged && answer.before != answer.seq;
    if (begun_anew) {
        granted_.credit = {};
    }
    told_.answered({.seq = answer.seq,
                    .at = pace_.asked,
                    .store = answer.now,
                    .buckets = answer.buckets,
                    .spent = talk_.under_way->spent,
                    .lost = begun_anew ? window_ + slack_ : (behind ? kReplicaLag : Duration()),
                    .next = talk_.seq},
                   now);
    talk_.acknowledged = answer.seq;
    talk_.lost = 0;
    pace_.heard = pace_.asked;
    pace_.heard_beat = talk_.under_way->beat;
}

void SharedQuota::note_offer(const BookAnswer& answer) {
    const BookAmounts went = untold();
    const bool lower = std::ranges::any_of(std::views::iota(std::size_t{0}, kBooks), [&](auto b) {
        return answer.alone[b] < view_.alone[b];
    });
    // Somebody waits for what stands offered to us until the store knows that we know.
    pace_.soon = pace_.soon || (lower && anybody_waits(answer.classes));
    for (std::size_t b = 0; b < kBooks; ++b) {
        // The store may have offered it before it knew what went on the offer before.
        const std::int64_t since = std::max<std::int64_t>(0, went[b] - talk_.untold[b]);
        view_.alone[b] = std::max<std::int64_t>(0, answer.alone[b] - since);
    }
    // Young books repeat what others offered before them.
    const std::int64_t before = talk_.under_way->alone_epoch;
    view_.alone_epoch = answer.young && before != 0 ? before : answer.epoch;
    view_.others_full = false;
    for (const auto& [at, amounts] : std::exchange(view_.filled, {})) {
        for (std::size_t b = 0; b < kBooks; ++b) {
            view_.others[b].remove(at, static_cast<std::uint64_t>(amounts[b]));
            view_.pending[b].remove(at, static_cast<std::uint64_t>(amounts[b]));
            view_.pended[b] -= amounts[b];
        }
    }
}

void SharedQuota::note_grant(const BookAnswer& answer, Instant now) {
    granted_.lease = pace_.first_asked + kLease;
    for (std::size_t b = 0; b < kBooks; ++b) {
        granted_.credit[b] += limits_[b] >= 0 ? answer.granted[b] : 0;
    }
    view_.held = answer.held;
    pace_.turn = answer.turn;
    pace_.room = answer.room_in > Duration::zero() ? now + answer.room_in : Instant::min();
}

void SharedQuota::note_waiting(const BookAnswer& answer) {
    view_.counters.clear();
    for (const auto& c : answer.counters) {
        view_.counters[c.client] = c.amount;
    }
    view_.elsewhere = answer.elsewhere;
    note_refused(view_.elsewhere, false);
    view_.classes = answer.classes;
    note_refused(view_.classes, true);
    view_.settling = answer.settling;
}

/// The store tells what all have ever refused. Of that, what others have since the last answer.
void SharedQuota::note_refused(std::vector<BookExchange::Backlog>& told, bool of_class) {
    if (view_.refused.size() > kMostCounted) {
        view_.refused.clear();
    }
    for (auto& t : told) {
        double own = 0;
        for (const auto& b : talk_.under_way->backlog) {
            own += b.cls == t.cls && (of_class || b.client == t.client) ? b.refused : 0;
        }
        // No client's name begins like this.
        const auto [known, begins] =
            view_.refused.try_emplace({t.cls, of_class ? kClassName : t.client}, t.refused);
        const double ever = std::exchange(known->second, t.refused);
        t.refused = begins ? 0 : std::max(0.0, t.refused - ever - own);
    }
}

/// Its own part is what this instance has told and corrected; the rest is the others'.
void SharedQuota::read_profile(const BookAnswer& answer, Instant now) {
    view_.others = logs(window_, slack_);
    view_.pending = logs(window_, slack_);
    view_.pended = {};
    view_.given_back = {};
    for (std::size_t b = 0; b < kBooks; ++b) {
        view_.others[b].expire(now);
        view_.pending[b].expire(now);
    }
    for (const auto& logged : answer.profile) {
        const std::size_t b = index(logged.book);
        const std::int64_t theirs =
            logged.amount - std::min(told_.in(b, logged.bucket), logged.amount);
        const std::int64_t settled = std::clamp<std::int64_t>(
            logged.settled - told_.settled_in(b, logged.bucket), 0, theirs);
        view_.others[b].add(now - logged.age, static_cast<std::uint64_t>(theirs));
        add_pending(b, now - logged.age, theirs - settled);
    }
}

/// Between two profiles the others' use may have grown or shrunk: the sum is told with each answer.
void SharedQuota::catch_up(const BookAnswer& answer, Instant now) {
    for (std::size_t b = 0; b < kBooks; ++b) {
        const std::int64_t own = told_.since(b, answer.buckets[b] - kBuckets + 1);
        const std::int64_t more =
            answer.used[b] - own - static_cast<std::int64_t>(view_.others[b].used());
        view_.given_back[b] = static_cast<std::uint64_t>(std::max<std::int64_t>(0, -more));
        if (more > 0) {
            view_.others[b].add(now, static_cast<std::uint64_t>(more));
            add_pending(b, now, more);
        }
    }
}

/// What was sent without the store's knowledge is logged where it belongs by its age.
void SharedQuota::tell_what_went_alone(Instant now) {
    for (std::size_t b = 0; b < kBooks; ++b) {
        const auto book = static_cast<Book>(b);
        std::vector<EngineState::Used> parts = alone_[b].by_age(now);
        std::ranges::sort(parts, std::ranges::greater{}, &EngineState::Used::age);
        std::vector<EngineState::Used> settled = alone_settled_[b].by_age(now);
        for (const auto& part : parts) {
            std::int64_t final = 0;
            std::erase_if(settled, [&](const auto& s) {
                final += s.age >= part.age ? static_cast<std::int64_t>(s.amount) : 0;
                return s.age >= part.age;
            });
            const Instant until = now - part.age + alone_[b].window() / kLogBuckets;
            told_.tell_alone(talk_.seq, book, until,
                             {static_cast<std::int64_t>(part.amount), final}, now);
        }
        alone_[b] = SlidingLog(alone_[b].window(), slack_);
        alone_settled_[b] = SlidingLog(alone_[b].window(), slack_);
    }
}

void SharedQuota::lost(Instant now) {
    tick(now);
    talk_.again = talk_.under_way.has_value();
    talk_.lost = std::min(talk_.lost + 1, kTries);
    pace_.retry = now + kRetry;
    mode_ = Mode::alone;
    // What others were granted they will have sent.
    for (std::size_t b = 0; b < kBooks; ++b) {
        const std::int64_t held = std::exchange(view_.held[b], 0);
        view_.others[b].add(now, static_cast<std::uint64_t>(held));
        add_pending(b, now, held);
    }
}

}  // namespace weir::policy
