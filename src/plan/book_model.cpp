#include "plan/book_model.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

namespace weir::plan {

namespace {

using Time = BookModel::Time;

/// The first bucket that has not expired.
std::int64_t oldest(std::size_t book, Time now, Time window) {
    const Time w = BookModel::window_of(book, window);
    return (now - w - BookModel::slack(w)) / BookModel::width(static_cast<Book>(book), window);
}

bool any(const BookAmounts& amounts) {
    return std::ranges::any_of(amounts, [](std::int64_t a) { return a > 0; });
}

}  // namespace

Time BookModel::window_of(std::size_t book, Time window) {
    return book == static_cast<std::size_t>(Book::daily_tokens) ? kDay : window;
}

Time BookModel::width(Book book, Time window) {
    return std::max<Time>(1, window_of(static_cast<std::size_t>(book), window) / kBuckets);
}

Time BookModel::slack(Time window) {
    return std::clamp<Time>(window / 240, 100'000, 250'000);
}

bool BookModel::Claim::before(const Claim& other) const {
    return std::tie(cls, counter, arrived) < std::tie(other.cls, other.counter, other.arrived);
}

BookAmounts BookModel::used() const {
    BookAmounts all = used_;
    for (std::size_t b = 0; b < kBooks; ++b) {
        all[b] += held_[b];
    }
    return all;
}

void BookModel::log(std::size_t book, std::int64_t bucket, std::int64_t amount) {
    std::int64_t& there = logs_[book][bucket];
    const std::int64_t becomes = std::max<std::int64_t>(0, there + amount);
    used_[book] += becomes - there;
    there = becomes;
}

void BookModel::settle(std::size_t book, std::int64_t bucket, std::int64_t amount) {
    if (amount > 0) {
        settled_[book][bucket] += amount;
    }
}

void BookModel::expire(Time now, Time window) {
    for (std::size_t b = 0; b < kBooks; ++b) {
        const std::int64_t first = oldest(b, now, window);
        auto& log = logs_[b];
        settled_[b].erase(settled_[b].begin(), settled_[b].lower_bound(first));
        while (!log.empty() && log.begin()->first < first) {
            used_[b] -= log.begin()->second;
            freed_[b] += log.begin()->second;
            log.erase(log.begin());
        }
    }
}

/// What an instance holds and has not renewed is taken to have been sent when its lease ended: it
/// may have been, and nobody is left to say so.
void BookModel::lapse(Time now, Time window) {
    while (!leases_.empty() && leases_.begin()->first <= now) {
        Instance& instance = instances_.at(leases_.begin()->second);
        leases_.erase(leases_.begin());
        settling_ -= std::exchange(instance.settling, 0);
        for (std::size_t b = 0; b < kBooks; ++b) {
            held_[b] -= instance.held[b] + instance.untold[b];
            const Time wide = width(static_cast<Book>(b), window);
            log(b, std::max(oldest(b, now, window), instance.lease / wide),
                instance.held[b] + instance.untold[b]);
            instance.held[b] = instance.untold[b] = instance.granted[b] = 0;
        }
        instance.lease = 0;
    }
    std::erase_if(claims_, [&](const auto& claim) { return claim.second.until <= now; });
    while (!seen_.empty() && seen_.begin()->first + kSeen <= now) {
        const std::string name = seen_.begin()->second;
        Instance& gone = instances_.at(name);
        set_standing(gone, {});
        silent_.erase({gone.silent_at(), name});
        seen_.erase(seen_.begin());
        instances_.erase(name);
    }
}

void BookModel::set_standing(Instance& instance, const BookAmounts& amounts) {
    for (std::size_t b = 0; b < kBooks; ++b) {
        standing_[b] += amounts[b] - instance.standing[b];
    }
    instance.standing = amounts;
}

void BookModel::apply(Instance& self, std::uint64_t before, const BookExchange& asked, Time now,
                      Time window) {
    for (std::size_t b = 0; b < kBooks; ++b) {
        const std::int64_t bucket = now / width(static_cast<Book>(b), window);
        self.buckets[b] = bucket;
        const std::int64_t gone = std::min(self.held[b], asked.spent[b] + asked.returned[b]);
        self.held[b] -= gone;
        held_[b] -= gone;
        log(b, bucket, asked.spent[b]);
    }
    // What was told has been lost, and others have their amounts where it was: only they could be
    // taken back.
    const bool lost = before != asked.after;
    for (const auto& c : asked.corrections) {
        const auto b = static_cast<std::size_t>(c.book);
        if ((c.amount > 0 || !lost) && c.bucket >= oldest(b, now, window)) {
            const std::int64_t bucket = std::min(c.bucket, now / width(c.book, window));
            log(b, bucket, c.amount);
            settle(b, bucket, c.settled);
        }
    }
    if (!asked.charges.empty() && counters_.size() > kMostClients) {
        counters_.clear();
    }
    for (const auto& c : asked.charges) {
        counters_[c.client].value += c.amount;
    }
    for (const auto& b : asked.backlog) {
        if (b.refused > 0) {
            counters_[counter_name(b)].refused += b.refused;
            counters_[class_name(b.cls)].refused += b.refused;
        }
    }
    settling_ += asked.settling - std::exchange(self.settling, asked.settling);
    learned_.take(asked, now, window);
}

void BookModel::grant(const std::string& name, Instance& self, const BookExchange& asked,
                      const BookAmounts& withheld, Time now, BookAnswer& answer) {
    BookAmounts room{};
    for (std::size_t b = 0; b < kBooks; ++b) {
        room[b] = asked.limits[b] < 0 ? std::numeric_limits<std::int64_t>::max() / 4
                                      : asked.limits[b] - used_[b] - held_[b];
        room[b] -= asked.limits[b] < 0 ? 0 : withheld[b];
    }
    claims_.erase(name);
    // Who is new among the heads begins where the least of those who wait is, or who was served
    // last.
    double least = floor_;
    for (const auto& [other, claim] : claims_) {
        least = std::min(least, claim.counter);
    }
    std::vector<bool> claimed(claims_.size());
    BookAmounts given{};
    bool blocked = false;
    for (const auto& head : asked.heads) {
        Counter& counter = counters_[head.client];
        if (counter.active + kClaim < now) {
            counter.value = std::max(counter.value, least);
        }
        counter.active = now;
        const Claim mine{head.cls,  counter.value, now - us(head.waited),
                         head.need, now + kClaim,  asked.backlog};
        if (blocked) {
            continue;
        }
        std::size_t next = 0;
        for (const auto& [other, claim] : claims_) {
            const std::size_t i = next++;
            if (!claimed[i] && claim.before(mine)) {
                claimed[i] = true;
                for (std::size_t b = 0; b < kBooks; ++b) {
                    room[b] -= claim.need[b];
                }
            }
        }
        bool fits = true;
        for (std::size_t b = 0; b < kBooks; ++b) {
            fits = fits && (head.need[b] <= 0 || head.need[b] <= room[b]);
        }
        if (!fits) {
            if (const auto part = may_probe(asked, mine, room, given, now)) {
                fits = true;
                learned_.probes(*part, now, us(asked.window));
            }
        }
        if (!fits) {
            blocked = true;
            claims_[name] = mine;
            BookAmounts before{};
            for (const auto& [other, claim] : claims_) {
                if (!claim.before(mine)) {
                    continue;
                }
                ++answer.turn;
                for (std::size_t b = 0; b < kBooks; ++b) {
                    before[b] += claim.need[b];
                }
            }
            const Time at = frees_at(asked, head.need, before, now, us(asked.window));
            answer.room_in = from_us(std::max<Time>(0, at - now));
            continue;
        }
        for (std::size_t b = 0; b < kBooks; ++b) {
            room[b] -= head.need[b];
            given[b] += head.need[b];
        }
        floor_ = std::max(floor_, counter.value);
    }
    if (claims_.empty()) {
        BookAmounts ahead{};
        bool some = true;
        for (std::size_t b = 0; b < kBooks; ++b) {
            ahead[b] = std::clamp<std::int64_t>(room[b] / 2, 0, asked.ahead[b]);
            some = some && (ahead[b] > 0 || asked.ahead[b] <= 0);
        }
        for (std::size_t b = 0; b < kBooks && some; ++b) {
            given[b] += ahead[b];
        }
    }
    for (std::size_t b = 0; b < kBooks; ++b) {
        given[b] = asked.limits[b] < 0 ? 0 : given[b];
        self.held[b] += given[b];
        held_[b] += given[b];
    }
    self.granted = given;
}

std::optional<double> BookModel::may_probe(const BookExchange& asked, const Claim& head,
                                           const BookAmounts& room, const BookAmounts& given,
                                           Time now) const {
    double part = 0;
    for (std::size_t b = 0; b < kBooks; ++b) {
        if (head.need[b] <= 0 || head.need[b] <= room[b]) {
            continue;
        }
        const bool beyond = head.need[b] + used_[b] + held_[b] + given[b] > asked.limits[b];
        if (b >= kLearned || !asked.learned[b].probes || !beyond) {
            return std::nullopt;
        }
        part = std::max(part, static_cast<double>(head.need[b]) /
                                  static_cast<double>(std::max<std::int64_t>(1, asked.limits[b])));
    }
    const bool first =
        std::ranges::none_of(claims_, [&](const auto& claim) { return claim.second.before(head); });
    return first && learned_.may_probe(part, now) ? std::optional(part) : std::nullopt;
}

/// When `need` fits by expiry alone; 0: not known.
Time BookModel::frees_at(const BookExchange& asked, const BookAmounts& need,
                         const BookAmounts& before, Time now, Time window) const {
    Time at = now;
    for (std::size_t b = 0; b < kBooks; ++b) {
        if (asked.limits[b] < 0) {
            continue;
        }
        std::int64_t missing = need[b] + before[b] + used_[b] + held_[b] - asked.limits[b];
        const Time w = window_of(b, window);
        const Time wide = width(static_cast<Book>(b), window);
        for (auto i = logs_[b].begin(); i != logs_[b].end() && missing > 0; ++i) {
            missing -= i->second;
            at = std::max(at, (i->first + 1) * wide + w + slack(w));
        }
        if (missing > 0) {
            return 0;
        }
    }
    return at;
}

BookAnswer BookModel::exchange(const std::string& instance, const BookExchange& asked, Time now) {
    const Time window = us(asked.window);
    if (epoch_ == 0) {
        epoch_ = reach_.young_since = now;
    }
    expire(now, window);
    lapse(now, window);
    learned_.expire(now, window);
    watch(now);
    Instance& self = instances_[instance];
    BookAnswer answer;
    answer.quota = asked.quota;
    answer.seq = asked.seq;
    answer.before = self.seq;
    answer.epoch = epoch_;
    answer.now = now;
    // It has left already, and this came once more.
    const bool left = asked.leaves && self.seq == 0;
    if (asked.seq >= self.seq && !left) {  // or it was sent again, and that came before it
        seen_.erase({self.seen, instance});
        self.seen = now;
        seen_.insert({now, instance});
        for (std::size_t b = 0; b < kBooks; ++b) {
            const std::int64_t untold =
                asked.seq == self.seq ? std::max(asked.untold[b], self.untold[b]) : asked.untold[b];
            held_[b] += untold - self.untold[b];
            self.untold[b] = untold;
        }
    }
    grow_up(asked, now);
    answer.young = young();
    if (asked.seq > self.seq && !left) {
        self.seq = asked.seq;
        silent_.erase({self.silent_at(), instance});
        self.heard = self.last;
        self.granted = {};
        apply(self, answer.before, asked, now, window);
        const BookAmounts by_others = withheld_for_others(instance, self, now, window);
        BookAmounts withheld = by_others;
        if (self.heard.silent_at <= now) {
            // Alone until now, it may send more before it hears this answer.
            const BookAmounts own = this->withheld(self, now, window);
            for (std::size_t b = 0; b < kBooks; ++b) {
                withheld[b] += std::max<std::int64_t>(0, own[b] - self.untold[b]);
            }
        }
        if (!answer.young && !asked.leaves) {
            grant(instance, self, asked, withheld, now, answer);
        }
        // The new offer takes the place of what it may still send alone.
        offer(self, asked, by_others, now);
        self.watched = true;
        silent_.insert({self.silent_at(), instance});
    }
    leases_.erase({self.lease, instance});
    self.lease = any(self.held) || any(self.untold) || self.settling > 0 ? now + kLease : 0;
    if (self.lease > 0) {
        leases_.insert({self.lease, instance});
    }
    answer.instances = static_cast<std::uint32_t>(self.last.instances);
    answer.alone = asked.seq == self.seq ? self.last.alone : BookAmounts{};
    answer.buckets = self.buckets;
    answer.granted = asked.seq == self.seq ? self.granted : BookAmounts{};
    answer.used = used_;
    for (std::size_t b = 0; b < kBooks; ++b) {
        answer.held[b] = held_[b] - self.held[b] - self.untold[b];
    }
    learned_.tell(answer, now);
    for (const auto& head : asked.heads) {
        const auto known = counters_.find(head.client);
        answer.counters.push_back(
            {head.client, known == counters_.end() ? 0 : known->second.value});
    }
    tell_backlog(instance, asked, answer);
    answer.settling = settling_ - self.settling;
    take_troubles(instance, asked, now, answer);
    if (asked.wants_profile) {
        tell_profile(now, window, answer);
    }
    if (asked.leaves) {
        leave(instance, now, window);
    }
    return answer;
}

}  // namespace weir::plan
