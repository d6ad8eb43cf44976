// One instance's half of shared books, event by event: what the store says is written by hand.
#include "policy/shared_quota.h"

#include <gtest/gtest.h>

#include <chrono>
#include <utility>

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart = Instant{} + 5000s;

BookAmounts tokens(std::int64_t amount) {
    return {1, amount, amount, 0};
}

BookAmounts offer(std::int64_t amount) {
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

    Instant now_ = kStart;
    SharedQuota quota_{"q", 60s, 250ms, kStart};
    BookExchange asked_;
    std::uint64_t known_ = 0;
    std::int64_t epoch_ = 1;
    std::int64_t offset_ = 0;
    std::uint32_t instances_ = 1;
    std::int64_t own_ = 0;
};

TEST_F(SharedQuotaTest, NothingGoesBeforeTheStoreHasAnswered) {
    EXPECT_EQ(quota_.mode(), SharedQuota::Mode::alone);
    EXPECT_FALSE(covers(1'000));
    want(1'000);
    EXPECT_EQ(quota_.due(), now_);
}

TEST_F(SharedQuotaTest, AnAnswerJoinsAndAGrantCoversOneCall) {
    want(1'000);
    ask();
    ASSERT_EQ(asked_.heads.size(), 1u);
    EXPECT_TRUE(hear(answer(1'000)));
    EXPECT_EQ(quota_.mode(), SharedQuota::Mode::joined);
    EXPECT_TRUE(covers(1'000));
    EXPECT_FALSE(covers(1'001));
    send(1'000);
    EXPECT_FALSE(covers(1));
    pass(100ms);
    EXPECT_EQ(ask().spent[1], 1'000);
}

TEST_F(SharedQuotaTest, AGrantEndsHereBeforeItEndsInTheStore) {
    join(1'000);
    pass(1'899ms);
    EXPECT_TRUE(covers(1'000));
    pass(2ms);
    EXPECT_FALSE(covers(1'000));
}

TEST_F(SharedQuotaTest, ALostGrantEndsWithTheFirstTryOfItsExchange) {
    join();
    want(1'000);
    ask();
    pass(1s);
    lose();
    ask();  // the same again
    hear(answer(1'000));
    pass(899ms);
    EXPECT_TRUE(covers(1'000));
    pass(2ms);
    EXPECT_FALSE(covers(1'000));
}

TEST_F(SharedQuotaTest, WhatIsSettledIsCorrectedWhereItWasLogged) {
    join(5'000);
    const auto ticket = send(5'000);
    pass(100ms);
    ask();
    const BookAmounts where = buckets();
    quota_.correct(ticket, Book::tokens, -4'000);  // the answer is still on its way
    hear(answer());
    pass(100ms);
    ask();
    ASSERT_EQ(asked_.corrections.size(), 1u);
    EXPECT_EQ(asked_.corrections[0].bucket, where[1]);
    EXPECT_EQ(asked_.corrections[0].amount, -4'000);
    hear(answer());
    pass(100ms);
    EXPECT_TRUE(ask().corrections.empty());
}

TEST_F(SharedQuotaTest, ASurplusIsSpentNow) {
    join(1'000);
    const auto ticket = send(1'000);
    quota_.correct(ticket, Book::tokens, 500);
    EXPECT_EQ(ask().spent[1], 1'500);
}

TEST_F(SharedQuotaTest, AnExchangeWithoutAnswerIsSentAgainAndNotCountedTwice) {
    join(2'000);
    send(1'000);
    const BookExchange first = ask();
    lose();
    EXPECT_EQ(quota_.mode(), SharedQuota::Mode::alone);
    pass(100ms);
    EXPECT_EQ(quota_.due(), now_);
    const BookExchange second = ask();
    EXPECT_EQ(second.seq, first.seq);
    EXPECT_EQ(second.spent[1], 1'000);
    hear(answer());
    pass(100ms);
    EXPECT_EQ(ask().spent[1], 0);
}

TEST_F(SharedQuotaTest, WithoutAnAnswerWhatWasOfferedGoesAtOnce) {
    instances_ = 2;
    ask();
    BookAnswer a = answer();
    a.used = tokens(90'000);
    a.alone = offer(3'000);
    hear(a);
    want(2'000);
    ask();
    pass(50ms);
    lose();
    EXPECT_TRUE(covers(3'000));
    EXPECT_FALSE(covers(3'001));
    send(2'000);
    EXPECT_TRUE(covers(1'000));
    EXPECT_FALSE(covers(1'001));
}

TEST_F(SharedQuotaTest, WhatExpiresJustThenIsTheOthers) {
    instances_ = 2;
    join();
    pass(10s);
    ask();
    BookAnswer a = answer();
    a.used = tokens(99'000);
    a.alone = {20, 0, 0, 0};
    a.profile = {{Book::tokens, buckets()[1] - 120, 60s + 200ms, 40'000},
                 {Book::tokens, buckets()[1] - 100, 50s, 59'000}};
    a.has_profile = true;
    hear(a);
    want(10'000);
    ask();
    pass(50ms);
    lose();
    EXPECT_FALSE(covers(1'000));
    pass(250ms);  // 40,000 tokens expire before the store counts this instance as silent
    EXPECT_FALSE(covers(1'000));
    pass(11s);  // these after that: half is for this instance
    EXPECT_TRUE(covers(29'500));
    EXPECT_FALSE(covers(29'501));
}

TEST_F(SharedQuotaTest, AnOfferIsNotUsedTwice) {
    instances_ = 2;
    ask();
    BookAnswer a = answer();
    a.used = tokens(90'000);
    a.alone = offer(3'000);
    hear(a);
    want(2'000);
    ask();
    pass(50ms);
    lose();
    send(2'000);
    ask();  // again: the store answers what it decided the first time
    a.seq = asked_.seq;
    a.before = asked_.seq;
    hear(a);
    EXPECT_EQ(quota_.mode(), SharedQuota::Mode::joined);
    ask();
    lose();
    EXPECT_TRUE(covers(1'000));
    EXPECT_FALSE(covers(1'001));
}

TEST_F(SharedQuotaTest, ComingBackItTellsWhatWentAlone) {
    ask();
    BookAnswer a = answer();
    a.alone = offer(9'000);
    hear(a);
    want(1'000);
    ask();
    lose();
    send(4'000);
    pass(200ms);
    EXPECT_EQ(ask().untold[1], 4'000);
    hear(answer());
    EXPECT_EQ(quota_.mode(), SharedQuota::Mode::joined);
    EXPECT_EQ(quota_.due(), now_);
    ask();
    EXPECT_EQ(asked_.untold[1], 0);
    std::int64_t told = 0;
    for (const auto& c : asked_.corrections) {
        told += c.book == Book::tokens ? c.amount : 0;
    }
    EXPECT_EQ(told, 4'000);
}

TEST_F(SharedQuotaTest, AnInstanceThatNeverHeardTheStoreAsksForASecond) {
    want(1'000);
    for (int i = 0; i < 6; ++i) {
        ask();
        pass(50ms);
        lose();
        EXPECT_FALSE(covers(1'000));
        pass(100ms);
    }
    ask();
    pass(50ms);
    lose();
    EXPECT_TRUE(covers(1'000));
}

TEST_F(SharedQuotaTest, AStoreThatHasLostEverythingIsToldAgain) {
    join(3'000);
    send(3'000);
    pass(100ms);
    join();
    pass(10s);
    epoch_ = 7;
    known_ = 0;
    ask();
    EXPECT_EQ(asked_.after, asked_.seq - 1);
    BookAnswer young = answer();
    young.young = true;
    hear(young);
    EXPECT_EQ(quota_.mode(), SharedQuota::Mode::alone);
    EXPECT_FALSE(covers(1));  // nothing was offered
    pass(100ms);
    ask();
    ASSERT_FALSE(asked_.corrections.empty());
    for (const auto& told : asked_.corrections) {
        if (told.book == Book::tokens) {
            EXPECT_EQ(told.amount, 3'000);
            EXPECT_LT(told.bucket, buckets()[1] - 15);  // where it belongs by its age
        }
    }
}

TEST_F(SharedQuotaTest, AStoreThatHasLostTheLastSecondsIsToldThemAgain) {
    join(3'000);
    send(1'000);
    pass(100ms);
    join();
    pass(10s);
    join(3'000);
    send(2'000);
    pass(100ms);
    join();
    const std::uint64_t now_known = known_;
    known_ = now_known - 1;  // a replica has taken over
    pass(1s);
    join();
    pass(100ms);
    ask();
    std::int64_t told = 0;
    for (const auto& c : asked_.corrections) {
        told += c.book == Book::tokens ? c.amount : 0;
    }
    EXPECT_EQ(told, 2'000);
}

TEST_F(SharedQuotaTest, AStoreWhoseClockFallsBackIsFollowed) {
    join(5'000);
    pass(5s);
    offset_ = -3'000'000'000;
    want(1'000);
    ask();
    hear(answer(1'000));
    EXPECT_TRUE(covers(1'000));
    ask();
    lose();
    send(1'000);  // what is left of the grants
    pass(100ms);
    ask();
    hear(answer());
    ask();
    for (const auto& c : asked_.corrections) {
        EXPECT_LE(c.bucket, c.book == Book::daily_tokens ? buckets()[2] : buckets()[1]);
    }
}

TEST_F(SharedQuotaTest, ALearnedLimitIsToldOnceAndHeardFromAll) {
    join();
    quota_.teach(0, 50'000);
    EXPECT_EQ(ask().learned_tokens, 50'000);
    BookAnswer a = answer();
    a.learned_tokens = 50'000;
    hear(a);
    quota_.teach(0, 50'000);
    pass(100ms);
    EXPECT_EQ(ask().learned_tokens, 0);
    a = answer();
    a.learned_tokens = 60'000;
    hear(a);
    EXPECT_EQ(quota_.told_tokens(), 60'000);
}

TEST_F(SharedQuotaTest, WhatOthersRefusedIsToldAsTheDifference) {
    const auto refused_elsewhere = [&](double own, double ever) {
        if (own > 0) {
            quota_.refused(0, "c", own);
        }
        pass(100ms);
        ask();
        BookAnswer a = answer();
        a.elsewhere = {{0, "c", 500, 2, ever}};
        a.classes = {{0, "", 800, 3, ever}};
        hear(a);
        EXPECT_DOUBLE_EQ(quota_.elsewhere(0).refused, quota_.elsewhere(0, "c").refused);
        return quota_.elsewhere(0).refused;
    };
    EXPECT_DOUBLE_EQ(refused_elsewhere(0, 40), 0);  // before this instance began
    EXPECT_DOUBLE_EQ(refused_elsewhere(2, 45), 3);
    EXPECT_DOUBLE_EQ(refused_elsewhere(0, 45), 0);
    EXPECT_DOUBLE_EQ(refused_elsewhere(0, 1), 0);  // the store has begun anew
    EXPECT_DOUBLE_EQ(refused_elsewhere(0, 3), 2);
    EXPECT_EQ(quota_.elsewhere(0).calls, 3);
    ask();
    lose();
    EXPECT_EQ(quota_.elsewhere(0).calls, 0);
}

TEST_F(SharedQuotaTest, TheOthersUseIsTheBooksLessItsOwn) {
    join(5'000);
    send(5'000);
    pass(300ms);
    ask();
    BookAnswer a = answer();
    a.used = tokens(20'000);
    a.profile = {{Book::tokens, buckets()[1], 0s, 20'000}};
    a.has_profile = true;
    hear(a);
    EXPECT_EQ(quota_.others(Book::tokens).used(), 15'000u);
    pass(100ms);
    ask();
    a = answer();
    a.used = tokens(23'000);
    hear(a);
    EXPECT_EQ(quota_.others(Book::tokens).used(), 18'000u);
}

TEST_F(SharedQuotaTest, WhatIsRefusedWhileTheStoreIsAwayIsBounded) {
    for (int client = 0; client < 5000; ++client) {
        quota_.refused(0, "c" + std::to_string(client), 1);
    }
    std::size_t told = 0;
    for (int turn = 0; turn < 100; ++turn) {
        const std::size_t one = ask().backlog.size();
        EXPECT_LE(one, 64U);
        told += one;
        hear(answer());
    }
    EXPECT_EQ(told, 2000U);
}

}  // namespace
}  // namespace weir::policy
