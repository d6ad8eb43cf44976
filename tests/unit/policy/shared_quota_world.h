// One instance's half of shared books and what the store says, written by hand.
#pragma once

#include "policy/shared_quota.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace weir::policy {

using namespace std::chrono_literals;

inline BookAmounts tokens(std::int64_t amount) {
    return {1, amount, amount, 0};
}

inline BookAmounts offer(std::int64_t amount) {
    return {20, amount, amount, 0};
}

class SharedQuotaTest : public testing::Test {
protected:
    SharedQuotaTest() { quota_.set_limits({100, 100'000, -1, -1}); }

    void pass(Duration time) {
        now_ += time;
        quota_.tick(now_);
        if (quota_.mode() == SharedQuota::Mode::alone) {
            quota_.stand_alone(used());
        }
    }
    /// A call of `amount` waits.
    void want(std::int64_t amount) {
        quota_.want({{0, "0c", 0s, tokens(amount)}}, {{0, "c", 100, 1, 0}});
    }
    BookExchange ask() {
        quota_.tick(now_);
        asked_ = quota_.exchange();
        return asked_;
    }
    /// What the store says to the exchange that was made last, with a clock of its own.
    BookAnswer answer(std::int64_t granted = 0) {
        BookAnswer a;
        a.quota = asked_.quota;
        a.seq = asked_.seq;
        a.before = known_;
        a.epoch = epoch_;
        a.now = store_clock();
        a.instances = instances_;
        a.buckets = buckets();
        if (granted > 0) {
            a.granted = tokens(granted);
        }
        return a;
    }
    bool hear(const BookAnswer& a) {
        known_ = a.seq;
        const bool news = quota_.answered(a, now_);
        quota_.tick(now_);
        return news;
    }
    /// Asks and is answered, with so much granted.
    void join(std::int64_t granted = 0) {
        ask();
        hear(answer(granted));
    }
    void lose() {
        quota_.lost(now_);
        pass(0s);
    }
    bool covers(std::int64_t amount) const { return quota_.covers(tokens(amount), used()); }
    SharedQuota::Ticket send(std::int64_t amount) {
        auto ticket = quota_.hold(tokens(amount));
        quota_.sent(ticket, tokens(amount));
        own_ += amount;
        return ticket;
    }

    /// Of all, as the meters have it.
    BookAmounts used() const {
        const auto others = [&](Book b) {
            return static_cast<std::int64_t>(quota_.others(b).used()) + quota_.held_by_others(b);
        };
        return {others(Book::requests), own_ + others(Book::tokens), 0, 0};
    }
    std::int64_t store_clock() const { return (now_ - kStart) / 1us + 1'000'000'000 + offset_; }
    BookAmounts buckets() const {
        const std::int64_t bucket = store_clock() / 500'000;
        return {bucket, bucket, store_clock() / 720'000'000, bucket};
    }

    static constexpr Instant kStart = Instant{} + 5000s;

    Instant now_ = kStart;
    SharedQuota quota_{"q", 60s, 250ms, kStart};
    BookExchange asked_;
    std::uint64_t known_ = 0;
    std::int64_t epoch_ = 1;
    std::int64_t offset_ = 0;
    std::uint32_t instances_ = 1;
    std::int64_t own_ = 0;
};

}  // namespace weir::policy
