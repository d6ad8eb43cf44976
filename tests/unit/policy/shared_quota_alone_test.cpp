// One instance's half of shared books without the store, and its end.
#include "unit/policy/shared_quota_world.h"

namespace weir::policy {
namespace {

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
    a.profile = {{Book::tokens, buckets()[1] - 120, 60s + 200ms, 40'000, 40'000},
                 {Book::tokens, buckets()[1] - 100, 50s, 59'000, 59'000}};
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

TEST_F(SharedQuotaTest, WhatIsNotKnownToBeSettledIsNoRoomWhenItExpires) {
    instances_ = 2;
    join();
    pass(10s);
    ask();
    BookAnswer a = answer();
    a.used = tokens(100'000);
    a.alone = {20, 0, 0, 0};
    a.profile = {{Book::tokens, buckets()[1] - 110, 55s, 40'000, 10'000},
                 {Book::tokens, buckets()[1] - 4, 2s, 60'000, 60'000}};
    a.has_profile = true;
    hear(a);
    want(10'000);
    ask();
    pass(50ms);
    lose();
    pass(10s);  // 40,000 tokens expire; 30,000 may have been given back, and granted to the other
    EXPECT_TRUE(covers(5'000));
    EXPECT_FALSE(covers(5'001));
    pass(55s);
    EXPECT_TRUE(covers(35'000));
    EXPECT_FALSE(covers(35'001));
    pass(65s);  // for a window now the store leaves it its whole part
    EXPECT_TRUE(covers(50'000));
}

TEST_F(SharedQuotaTest, LeavingItGivesBackWhatItWasGranted) {
    join(3'000);
    send(1'000);
    want(2'000);
    EXPECT_FALSE(quota_.left());
    quota_.leave();
    EXPECT_FALSE(covers(5'000));
    EXPECT_EQ(quota_.due(), now_);
    ask();
    EXPECT_TRUE(asked_.leaves);
    EXPECT_EQ(asked_.spent[1], 1'000);
    EXPECT_EQ(asked_.returned[1], 2'000);
    EXPECT_TRUE(asked_.heads.empty());
    pass(50ms);
    lose();
    EXPECT_FALSE(covers(1));  // though nobody is heard
    pass(100ms);
    EXPECT_EQ(quota_.due(), now_);
    ask();
    EXPECT_TRUE(asked_.leaves);
    hear(answer());
    EXPECT_TRUE(quota_.left());
    EXPECT_EQ(quota_.due(), Instant::max());
}

TEST_F(SharedQuotaTest, WhoeverWasNeverHeardNeedNotLeave) {
    quota_.leave();
    EXPECT_TRUE(quota_.left());
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
