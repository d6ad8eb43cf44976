// One instance's half of shared books, event by event, while the store answers.
#include "unit/policy/shared_quota_world.h"

namespace weir::policy {
namespace {

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
    quota_.settle(ticket, tokens(5'000), tokens(1'000));  // the answer is still on its way
    hear(answer());
    pass(100ms);
    ask();
    const auto told =
        std::ranges::find(asked_.corrections, Book::tokens, &BookExchange::Correction::book);
    ASSERT_NE(told, asked_.corrections.end());
    EXPECT_EQ(told->bucket, where[1]);
    EXPECT_EQ(told->amount, -4'000);
    EXPECT_EQ(told->settled, 1'000);
    hear(answer());
    pass(100ms);
    EXPECT_TRUE(ask().corrections.empty());
}

TEST_F(SharedQuotaTest, ASurplusIsSpentNow) {
    join(1'000);
    const auto ticket = send(1'000);
    quota_.settle(ticket, tokens(1'000), tokens(1'500));
    EXPECT_EQ(ask().spent[1], 1'500);
}

TEST_F(SharedQuotaTest, WhoIsNextAsksOftenWhileSomethingMayBeGivenBackElsewhere) {
    const auto again = [&](std::uint32_t turn, std::int64_t settling) {
        want(1'000);
        ask();
        BookAnswer a = answer();
        a.turn = turn;
        a.settling = settling;
        hear(a);
        want(1'000);
        return quota_.due() - now_;
    };
    join();
    EXPECT_EQ(again(0, 5'000), 25ms);
    EXPECT_EQ(again(0, 0), 100ms);
    EXPECT_EQ(again(1, 5'000), 100ms);
    instances_ = 1'000;
    EXPECT_EQ(again(0, 5'000), 25ms);
    EXPECT_EQ(again(99, 5'000), 100ms);
    EXPECT_EQ(again(100, 5'000), 500ms) << "the first hundred leave the store no time for more";
}

TEST_F(SharedQuotaTest, MuchThatIsGivenBackIsToldAtOnce) {
    instances_ = 1'000;
    join(5'000);
    const auto little = send(1'000);
    const auto much = send(1'000);
    join();
    quota_.settle(little, tokens(1'000), tokens(901));
    EXPECT_EQ(quota_.due(), now_ + 500ms);
    quota_.settle(much, tokens(1'000), tokens(900));
    EXPECT_EQ(quota_.due(), now_ + 10ms) << "a thousandth of the limit";
    pass(10ms);
    EXPECT_FALSE(ask().corrections.empty());
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

TEST_F(SharedQuotaTest, AThousandInstancesAskTheStoreLessOften) {
    const auto beat = [&](std::uint32_t instances) {
        instances_ = instances;
        join(3'000);
        send(1'000);
        join();
        return ask().beat;
    };
    EXPECT_EQ(beat(1), 100ms);
    hear(answer());
    EXPECT_EQ(beat(100), 100ms);
    hear(answer());
    EXPECT_EQ(beat(400), 400ms);
    hear(answer());
    EXPECT_EQ(beat(5'000), 1s);
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
    quota_.teach(Book::tokens, {.limit = 50'000});
    EXPECT_EQ(ask().learned[1].limit, 50'000);
    BookAnswer a = answer();
    a.learned[1].limit = 50'000;
    hear(a);
    quota_.teach(Book::tokens, {.limit = 50'000});
    pass(100ms);
    EXPECT_EQ(ask().learned[1].limit, 0);
    a = answer();
    a.learned[1] = {.limit = 60'000, .peak = 59'000, .confirmed = 10s};
    hear(a);
    EXPECT_EQ(quota_.learned(Book::tokens).limit, 60'000);
    EXPECT_EQ(quota_.learned(Book::tokens).peak, 59'000);
    EXPECT_EQ(quota_.learned(Book::tokens).confirmed, now_ - 10s);
}

TEST_F(SharedQuotaTest, WhoComesLateAsksBeforeItTeaches) {
    quota_.teach(Book::tokens, {.limit = 20'000});  // it remembers that from before
    EXPECT_EQ(ask().learned[1].limit, 0);
    BookAnswer a = answer();
    a.learned[1].limit = 50'000;
    hear(a);
    EXPECT_EQ(quota_.learned(Book::tokens).limit, 50'000);
}

TEST_F(SharedQuotaTest, WhatTheBooksHaveForgottenIsForgotten) {
    join();
    ask();
    BookAnswer a = answer();
    a.learned[1].limit = 50'000;
    hear(a);
    pass(100ms);
    join();
    EXPECT_TRUE(quota_.learned(Book::tokens).forgotten);
    pass(100ms);
    join();  // and may be learned again
    EXPECT_FALSE(quota_.learned(Book::tokens).forgotten);
}

TEST_F(SharedQuotaTest, BooksThatWereLostHaveForgottenNothing) {
    join();
    ask();
    BookAnswer a = answer();
    a.learned[1].limit = 50'000;
    hear(a);
    epoch_ = 2;
    pass(100ms);
    join();
    EXPECT_FALSE(quota_.learned(Book::tokens).forgotten);
    quota_.teach(Book::tokens, {.limit = 50'000});
    pass(100ms);
    EXPECT_EQ(ask().learned[1].limit, 50'000);
}

TEST_F(SharedQuotaTest, ThatALimitRefusedIsToldByTheNextExchange) {
    join();
    quota_.teach(Book::tokens, {.limit = 0, .peak = 7'000, .refused = true, .probes = true});
    quota_.teach(Book::tokens, {.limit = 0, .peak = 6'000, .refused = false, .probes = false});
    EXPECT_LE(quota_.due(), now_ + 100ms);
    pass(100ms);
    const BookExchange::Learned told = ask().learned[1];
    EXPECT_EQ(told.peak, 7'000);
    EXPECT_TRUE(told.refused);
    EXPECT_FALSE(told.probes);
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

}  // namespace
}  // namespace weir::policy
