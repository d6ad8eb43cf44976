#include "plan/book_model.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <string>

namespace weir::plan {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kSecond = 1'000'000;

/// Books that grant, and instances that talk to them.
class BookModelTest : public testing::Test {
protected:
    BookModelTest() {
        for (int i = 0; i < 6; ++i) {
            say("a", {});
            now_ += kSecond / 2;
        }
    }

    BookAnswer say(const std::string& name, BookExchange x) {
        x.quota = "q";
        x.seq = ++seq_[name];
        x.window = 60s;
        x.beat = 100ms;
        x.limits = {-1, 1'000, -1, -1};
        return books_.exchange(name, x, now_);
    }
    static BookExchange wanting(std::int64_t tokens, std::uint32_t cls = 0, Duration waited = {}) {
        BookExchange x;
        x.heads.push_back({cls, "c", waited, {1, tokens, tokens, 0}});
        return x;
    }
    static BookExchange spending(std::int64_t tokens) {
        BookExchange x;
        x.spent[1] = tokens;
        return x;
    }
    /// Each of them a few times, a beat apart.
    void beat(std::initializer_list<std::string> names) {
        for (int i = 0; i < 3; ++i) {
            now_ += kSecond / 10;
            for (const std::string& name : names) {
                say(name, {});
            }
        }
    }

    BookModel books_;
    std::int64_t now_ = 1'700'000'000 * kSecond;
    std::map<std::string, std::uint64_t> seq_;
};

TEST_F(BookModelTest, GrantsNothingWhileItIsYoung) {
    BookModel young;
    BookExchange x = wanting(10);
    x.seq = 1;
    x.window = 60s;
    x.limits = {-1, 1'000, -1, -1};
    const BookAnswer answer = young.exchange("a", x, now_);
    EXPECT_TRUE(answer.young);
    EXPECT_EQ(answer.granted[1], 0);
}

TEST_F(BookModelTest, TheyAreYoungUntilAllHaveComeWhoWereThereBefore) {
    BookModel anew;
    std::uint64_t seq = 0;
    const auto come = [&](const std::string& name) {
        now_ += kSecond / 2;
        BookExchange x;
        x.seq = ++seq;
        x.window = 60s;
        x.instances = 3;
        x.limits = {-1, 1'000, -1, -1};
        return anew.exchange(name, x, now_).young;
    };
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(come("a"));
        EXPECT_TRUE(come("b"));
    }
    EXPECT_FALSE(come("c"));
    EXPECT_FALSE(come("a"));
}

TEST_F(BookModelTest, WhoeverDoesNotComeToYoungBooksMustBeDeadAfterAWhile) {
    BookModel anew;
    BookExchange x;
    x.window = 60s;
    x.instances = 2;
    const std::int64_t begin = now_;
    while (now_ < begin + 25 * kSecond) {
        ++x.seq;
        EXPECT_TRUE(anew.exchange("a", x, now_).young);
        now_ += kSecond / 2;
    }
    ++x.seq;
    EXPECT_FALSE(anew.exchange("a", x, now_).young);
}

TEST_F(BookModelTest, WhileNobodyReachesThemTheyGrowNoOlder) {
    BookModel anew;
    BookExchange x;
    x.window = 60s;
    x.seq = 1;
    anew.exchange("a", x, now_);
    now_ += 10 * kSecond;
    x.seq = 2;
    EXPECT_TRUE(anew.exchange("a", x, now_).young);
}

TEST_F(BookModelTest, ThePauseOfAnIdleInstanceIsNoOutage) {
    BookModel anew;
    BookExchange x;
    x.window = 60s;
    bool young = true;
    for (x.seq = 1; x.seq <= 4; ++x.seq) {
        young = anew.exchange("a", x, now_).young;
        now_ += kSecond + kSecond / 10;
    }
    EXPECT_FALSE(young);
}

TEST_F(BookModelTest, WhatIsHeldLapsesIntoTheLogAndComesBackAfterItsWindow) {
    beat({"a"});
    EXPECT_EQ(say("a", wanting(600)).granted[1], 600);
    EXPECT_EQ(books_.held()[1], 600);
    now_ += 3 * kSecond;
    say("b", {});
    EXPECT_EQ(books_.held()[1], 0);
    EXPECT_EQ(books_.used()[1], 600);
    now_ += 58 * kSecond;
    say("b", {});
    EXPECT_EQ(books_.used()[1], 600);
    now_ += 3 * kSecond;
    say("b", {});
    EXPECT_EQ(books_.used()[1], 0);
}

TEST_F(BookModelTest, WhoRanksBehindAClaimLeavesItItsRoom) {
    say("a", spending(700));
    EXPECT_EQ(say("b", wanting(400)).granted[1], 0);
    EXPECT_EQ(say("a", wanting(10, 1)).granted[1], 0);
}

TEST_F(BookModelTest, GrantsAheadOnlyWhileNobodyWaits) {
    beat({"a"});
    BookExchange x;
    x.ahead[1] = 20;
    EXPECT_EQ(say("a", x).granted[1], 20);
    EXPECT_EQ(say("b", wanting(2'000)).granted[1], 0);
    EXPECT_EQ(say("a", x).granted[1], 0);
}

TEST_F(BookModelTest, NobodyIsGrantedWhatStandsOfferedToAnother) {
    beat({"a", "b"});
    const std::int64_t offered = say("a", {}).alone[1];
    EXPECT_GT(offered, 0);
    EXPECT_EQ(say("b", wanting(1'000)).granted[1], 0);
    // The head that waits takes the offer away, once the other has heard of it.
    std::int64_t granted = 0;
    for (int i = 0; i < 3; ++i) {
        now_ += kSecond / 10;
        say("a", {});
        granted += say("b", wanting(1'000)).granted[1];
    }
    EXPECT_EQ(granted, 1'000);
}

TEST_F(BookModelTest, WhoIsSilentHasItsPartOfWhatExpiresUntilItMustBeDead) {
    say("a", spending(1'000));
    beat({"a", "b"});
    now_ += 45 * kSecond;
    beat({"a", "b"});
    for (int i = 0; i < 170; ++i) {  // past the expiry; b is not heard
        now_ += kSecond / 10;
        say("a", {});
    }
    EXPECT_EQ(say("a", wanting(501)).granted[1], 0);
    EXPECT_EQ(say("a", wanting(500)).granted[1], 500);
}

TEST_F(BookModelTest, WhoIsSilentForLongHasNoMoreThanItsPartOfTheLimit) {
    beat({"a", "b"});
    const auto cycle = [&](std::int64_t tokens) {  // all of it expires within the window of 1.2 s
        BookExchange x = spending(tokens);
        x.seq = ++seq_["a"];
        x.quota = "q";
        x.window = 1200ms;
        x.beat = 100ms;
        x.limits = {-1, 1'000, -1, -1};
        return books_.exchange("a", x, now_);
    };
    for (int i = 0; i < 100; ++i) {  // ten seconds: much more than the limit expires
        now_ += kSecond / 10;
        cycle(40);
    }
    now_ += 2 * kSecond;
    for (int i = 0; i < 3; ++i) {
        now_ += kSecond / 10;
        cycle(0);
    }
    BookExchange x = wanting(501);
    x.seq = ++seq_["a"];
    x.window = 1200ms;
    x.beat = 100ms;
    x.limits = {-1, 1'000, -1, -1};
    EXPECT_EQ(books_.exchange("a", x, now_).granted[1], 0);
    x.seq = ++seq_["a"];
    x.heads[0].need = {1, 500, 500, 0};
    EXPECT_EQ(books_.exchange("a", x, now_).granted[1], 500);
}

TEST_F(BookModelTest, WhoLeavesLeavesNothingWithheld) {
    beat({"a", "b"});
    EXPECT_EQ(say("b", wanting(300)).granted[1], 300);
    BookExchange last = spending(200);
    last.returned[1] = 100;
    last.leaves = true;
    say("b", last);
    EXPECT_EQ(books_.held()[1], 0);
    const BookAnswer alone = say("a", wanting(800));
    EXPECT_EQ(alone.instances, 1U);
    EXPECT_EQ(alone.granted[1], 800);
    --seq_["b"];
    say("b", last);  // its answer was lost, and it says so again
    EXPECT_EQ(books_.used()[1], 1'000);
    EXPECT_EQ(say("a", {}).instances, 1U);
}

TEST_F(BookModelTest, WhatAnInstanceThatLeavesStillHoldsMayHaveBeenSent) {
    beat({"a", "b"});
    EXPECT_EQ(say("b", wanting(300)).granted[1], 300);
    BookExchange last;
    last.leaves = true;
    say("b", last);
    EXPECT_EQ(books_.used()[1], 300);
    EXPECT_EQ(say("a", wanting(701)).granted[1], 0);
}

TEST_F(BookModelTest, WhatIsSettledIsToldWithTheProfile) {
    const std::int64_t bucket = say("a", spending(300)).buckets[1];
    BookExchange x;
    x.after = seq_["a"];
    x.corrections.push_back({Book::tokens, bucket, -100, 50});
    x.wants_profile = true;
    const BookAnswer answer = say("a", x);
    ASSERT_EQ(answer.profile.size(), 1U);
    EXPECT_EQ(answer.profile[0].amount, 200);
    EXPECT_EQ(answer.profile[0].settled, 50);
}

/// Instances that have learned that the limit is 1,000.
class LearnedInBooksTest : public BookModelTest {
protected:
    LearnedInBooksTest() {
        beat({"a", "b"});
        BookExchange x = spending(1'000);
        x.learned[1].limit = 1'000;
        say("a", x);
        now_ += 3 * kSecond;
    }
    static BookExchange probing(std::int64_t tokens, Duration waited = {}) {
        BookExchange x = wanting(tokens, 0, waited);
        x.learned[1].probes = true;
        return x;
    }
    /// Two instances with heads that have no room ask again and again: how often they get it.
    int probes(std::int64_t seconds) {
        int all = 0;
        for (std::int64_t i = 0; i < 10 * seconds; ++i) {
            now_ += kSecond / 10;
            all += say("a", probing(10, 1s)).granted[1] > 0 ? 1 : 0;
            all += say("b", probing(10)).granted[1] > 0 ? 1 : 0;
        }
        return all;
    }
    void refuse() {
        BookExchange x;
        x.learned[1].refused = true;
        say("a", x);
    }
};

TEST_F(LearnedInBooksTest, OneCallOfAllMayGoBeyondALearnedLimit) {
    EXPECT_EQ(say("a", probing(10)).granted[1], 10);
    EXPECT_EQ(say("b", probing(10)).granted[1], 0);
    now_ += kSecond / 4;
    EXPECT_EQ(say("b", probing(10)).granted[1], 10);
}

TEST_F(LearnedInBooksTest, NobodyGoesBeyondALimitThatIsConfigured) {
    EXPECT_EQ(say("a", wanting(10)).granted[1], 0);
    BookExchange x = probing(10);
    x.heads[0].need[3] = 10;
    x.limits = {-1, 1'000, -1, 5};
    x.quota = "q";
    x.seq = ++seq_["a"];
    x.window = 60s;
    x.beat = 100ms;
    EXPECT_EQ(books_.exchange("a", x, now_).granted[1], 0);
}

TEST_F(LearnedInBooksTest, TheFirstOfThoseWhoWaitProbes) {
    EXPECT_EQ(say("b", wanting(10, 0, 5s)).granted[1], 0);
    EXPECT_EQ(say("a", probing(10)).granted[1], 0);
    EXPECT_EQ(say("b", probing(10, 5s)).granted[1], 10);
}

TEST_F(LearnedInBooksTest, ARoundOfProbesEndsWithARefusalAndTheNextOneComesLater) {
    EXPECT_GE(probes(1), 4);
    refuse();
    EXPECT_EQ(probes(3), 0);
    EXPECT_GE(probes(2), 1);
    refuse();
    EXPECT_EQ(probes(7), 0);
    for (int i = 0; i < 8; ++i) {
        probes(120);
        refuse();
    }
    EXPECT_EQ(probes(119), 0);
    EXPECT_GE(probes(2), 1);
}

TEST_F(LearnedInBooksTest, ALimitThatRisesIsProbedAgainSoon) {
    for (int i = 0; i < 8; ++i) {
        probes(120);
        refuse();
    }
    probes(121);
    BookExchange x;
    x.learned[1].limit = 1'030;
    say("b", x);
    refuse();
    EXPECT_EQ(probes(3), 0);
    EXPECT_GE(probes(2), 1);
    EXPECT_EQ(say("a", {}).learned[1].limit, 1'030);
}

TEST_F(LearnedInBooksTest, WhatWasAcceptedFromAnybodyIsKnownToAllForSixtyWindows) {
    BookExchange x;
    x.learned[1].peak = 990;
    say("b", x);
    EXPECT_EQ(say("a", {}).learned[1].peak, 990);
    now_ += 49 * 60 * kSecond;
    EXPECT_EQ(say("a", {}).learned[1].peak, 990);
    now_ += 11 * 60 * kSecond;
    EXPECT_EQ(say("a", {}).learned[1].peak, 0);
}

TEST_F(LearnedInBooksTest, ALimitIsForgottenAfterSixtyWindowsWithoutARefusal) {
    now_ += 59 * 60 * kSecond;
    EXPECT_EQ(say("a", {}).learned[1].limit, 1'000);
    refuse();
    now_ += 59 * 60 * kSecond;
    const BookAnswer::Learned told = say("a", {}).learned[1];
    EXPECT_EQ(told.limit, 1'000);
    EXPECT_EQ(told.confirmed, 59min);
    now_ += 2 * 60 * kSecond;
    EXPECT_EQ(say("b", {}).learned[1].limit, 0);
}

TEST_F(BookModelTest, AnExchangeIsAppliedOnce) {
    BookExchange x = spending(100);
    say("a", x);
    --seq_["a"];
    EXPECT_EQ(say("a", x).used[1], 100);
}

}  // namespace
}  // namespace weir::plan
