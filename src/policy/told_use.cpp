#include "policy/told_use.h"

#include <algorithm>
#include <chrono>

#include "policy/shared_quota_constants.h"

namespace weir::policy {

using namespace sharing;

namespace {
std::size_t index(Book book) {
    return static_cast<std::size_t>(book);
}
}  // namespace

Duration ToldUse::width(std::size_t book) const {
    return (book == index(Book::daily_tokens) ? kDay : window_) / kBuckets;
}

void ToldUse::expire(Instant now) {
    while (!entries_.empty() &&
           (entries_.size() > kMostEntries || entries_.front().at + 2 * window_ < now)) {
        entries_.pop_front();
    }
    while (!alone_.empty() && alone_.front().until + 2 * window_ < now) {
        alone_.pop_front();
    }
}

void ToldUse::answered(const Answered& told, Instant now) {
    anchor_ = {told.at, told.store};
    acknowledged_ = told.seq;
    if (told.lost > Duration::zero()) {
        tell_again(told.next, told.lost, now);
    }
    if (any(told.spent)) {
        entries_.push_back({told.seq, told.at, told.buckets, told.spent});
    }
    for (std::size_t b = 0; b < kBooks; ++b) {
        auto& known = known_[b];
        if (told.spent[b] > 0) {
            known[told.buckets[b]] += told.spent[b];
        }
        for (ByBucket* log : {&known, &settled_[b]}) {
            log->erase(log->begin(), log->upper_bound(told.buckets[b] - 2 * kBuckets));
        }
    }
    for (Alone& a : alone_) {
        if (!a.known && a.seq <= acknowledged_) {
            a.known = true;
            known_[index(a.book)][a.bucket] += a.amount;
        }
    }
    const auto due = [&](const Waiting& w) { return w.seq <= acknowledged_; };
    for (const Waiting& w : waiting_) {
        if (due(w)) {
            settle(w.seq, w.book, w.more, w.settled);
        }
    }
    std::erase_if(waiting_, due);
}

void ToldUse::settle(std::uint64_t seq, Book book, std::int64_t more, std::int64_t settled) {
    if (seq > acknowledged_) {
        waiting_.push_back({seq, book, more, settled});
        return;
    }
    const auto at = std::ranges::lower_bound(entries_, seq, {}, &Entry::seq);
    if (at != entries_.end() && at->seq == seq) {
        settle(*at, book, more, settled);
    }
}

void ToldUse::settle(Entry& entry, Book book, std::int64_t more, std::int64_t settled) {
    const std::size_t b = index(book);
    more = std::max(more, -entry.amounts[b]);
    entry.amounts[b] += more;
    known_[b][entry.buckets[b]] += more;
    add_correction(book, entry.buckets[b], more, settled);
}

void ToldUse::tell_alone(std::uint64_t seq, Book book, Instant until, Part part, Instant now) {
    const std::int64_t bucket = bucket_at(index(book), std::min(until, now));
    add_correction(book, bucket, part.amount, part.settled);
    alone_.push_back({seq, until, book, bucket, part.amount, false});
}

/// It was told in one piece with what went at about the same time.
void ToldUse::settle_alone(Book book, Instant held, std::int64_t more, std::int64_t settled) {
    const auto piece = std::ranges::find_if(
        alone_, [&](const Alone& a) { return a.book == book && a.until > held; });
    if (piece == alone_.end() || piece->amount + more < 0) {
        return;
    }
    piece->amount += more;
    if (piece->known) {
        known_[index(book)][piece->bucket] += more;
    }
    add_correction(book, piece->bucket, more, settled);
}

/// As it is by now: what was to be taken back of it is not told any more.
void ToldUse::tell_again(std::uint64_t seq, Duration lost, Instant now) {
    for (Entry& e : entries_) {
        for (std::size_t b = 0; b < kBooks && now - e.at < lost; ++b) {
            forget_corrections(b, e.buckets[b]);
        }
    }
    const auto is_lost = [&](const Alone& a) {
        return a.seq < acknowledged_ && now - a.until < lost;
    };
    for (const Alone& a : alone_) {
        if (is_lost(a)) {
            forget_corrections(index(a.book), a.bucket);
        }
    }
    for (Entry& e : entries_) {
        for (std::size_t b = 0; b < kBooks && now - e.at < lost; ++b) {
            if (e.amounts[b] > 0) {
                known_[b][e.buckets[b]] -= e.amounts[b];
                e.buckets[b] = bucket_at(b, e.at);
                known_[b][e.buckets[b]] += e.amounts[b];
                add_correction(static_cast<Book>(b), e.buckets[b], e.amounts[b], 0);
            }
        }
    }
    for (Alone& a : alone_) {
        if (is_lost(a) && a.amount > 0) {
            const std::size_t b = index(a.book);
            known_[b][a.bucket] -= a.known ? a.amount : 0;
            a.known = false;
            a.bucket = bucket_at(b, std::min(a.until, now));
            a.seq = seq;
            add_correction(a.book, a.bucket, a.amount, 0);
        }
    }
}

void ToldUse::forget_corrections(std::size_t book, std::int64_t bucket) {
    std::erase_if(corrections_, [&](const auto& c) {
        return index(c.book) == book && c.bucket == bucket && c.amount <= 0;
    });
}

/// The store's bucket of a time that has passed here, or a later one: the store's clock was read
/// some time after it was asked.
std::int64_t ToldUse::bucket_at(std::size_t book, Instant at) const {
    const auto us = [](Duration d) {
        return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
    };
    return (anchor_.store + us(at - anchor_.at)) / std::max<std::int64_t>(1, us(width(book)));
}

void ToldUse::add_correction(Book book, std::int64_t bucket, std::int64_t more,
                             std::int64_t settled) {
    if (more == 0 && settled <= 0) {
        return;
    }
    if (settled > 0) {
        settled_[index(book)][bucket] += settled;
    }
    // What is added and what is taken back are apart: the store may apply only the first.
    const auto same = std::ranges::find_if(corrections_, [&](const auto& c) {
        return c.book == book && c.bucket == bucket && (c.amount > 0) == (more > 0);
    });
    if (same != corrections_.end()) {
        same->amount += more;
        same->settled += settled;
    } else if (corrections_.size() < kMostCorrections || more > 0) {
        corrections_.push_back({book, bucket, more, settled});
    }
}

std::int64_t ToldUse::in(std::size_t book, std::int64_t bucket) const {
    const auto there = known_[book].find(bucket);
    return there == known_[book].end() ? 0 : std::max<std::int64_t>(0, there->second);
}

std::int64_t ToldUse::settled_in(std::size_t book, std::int64_t bucket) const {
    const auto there = settled_[book].find(bucket);
    return there == settled_[book].end() ? 0 : there->second;
}

std::int64_t ToldUse::since(std::size_t book, std::int64_t first) const {
    std::int64_t sum = 0;
    for (auto i = known_[book].lower_bound(first); i != known_[book].end(); ++i) {
        sum += i->second;
    }
    return sum;
}

}  // namespace weir::policy
