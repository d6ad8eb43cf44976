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
        say("a", {});
        now_ += 3 * kSecond;
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

TEST_F(BookModelTest, AnExchangeIsAppliedOnce) {
    BookExchange x = spending(100);
    say("a", x);
    --seq_["a"];
    EXPECT_EQ(say("a", x).used[1], 100);
}

}  // namespace
}  // namespace weir::plan
