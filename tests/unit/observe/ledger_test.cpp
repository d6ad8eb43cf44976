#include "observe/ledger.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace weir::observe {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;
const Day kToday = parse_day("2026-11-30");
const std::int64_t kNoon = kToday * kDaySeconds + kDaySeconds / 2;
constexpr std::string_view kSonnet5 = "anthropic.claude-sonnet-5";

CostNames names_of(std::string_view client, std::string_view tag = "",
                   std::string_view model = kSonnet5) {
    return {client, model, "us-east-1", "default", tag};
}

Costs call(NanoDollars cost) {
    Costs costs;
    costs.requests = 1;
    costs.input = 10;
    costs.output = 5;
    costs.cost = cost;
    return costs;
}

std::vector<CostRow> by(const LedgerDays& days, std::string_view name, Day from = 0,
                        Day to = kToday + 1000) {
    CostGroup group;
    EXPECT_TRUE(parse_group(name, group));
    return rows_of(days, from, to, {group});
}

class LedgerBookTest : public testing::Test {
protected:
    LedgerBook book{LedgerLimits{}, {"chat", "search"}, {std::string(kSonnet5)}};
};

TEST(Days, TextAndNumberAgree) {
    EXPECT_EQ(day_text(0), "1970-01-01");
    EXPECT_EQ(day_text(kToday), "2026-11-30");
    EXPECT_EQ(parse_day("2024-02-29"), parse_day("2024-03-01") - 1);
    for (const char* wrong : {"", "2026-02-29", "2026-13-01", "2026-11-3", "2026/11/30",
                              "1969-12-31", "-026-11-30", "2026-11-30 "}) {
        EXPECT_EQ(parse_day(wrong), -1) << wrong;
    }
    EXPECT_EQ(day_text(month_start(kToday)), "2026-11-01");
    EXPECT_EQ(day_of(-1), -1);
    EXPECT_EQ(day_of(kNoon), kToday);
    EXPECT_EQ(day_text(std::numeric_limits<Day>::max()), "9999-12-31");
}

TEST_F(LedgerBookTest, SumsAreByDayAndName) {
    book.add(names_of("chat", "a"), call(3), true, kNoon);
    book.add(names_of("chat", "b"), call(4), true, kNoon);
    book.add(names_of("search"), call(20), true, kNoon - kDaySeconds);
    const LedgerDays days = book.days();
    const auto clients = by(days, "client");
    ASSERT_EQ(clients.size(), 2U);
    EXPECT_EQ(clients[0].names, std::vector<std::string>{"search"});  // the most expensive first
    EXPECT_EQ(clients[0].costs.cost, 20U);
    EXPECT_EQ(clients[1].costs.requests, 2U);
    EXPECT_EQ(clients[1].costs.cost, 7U);
    EXPECT_EQ(by(days, "client", kToday).size(), 1U);
    EXPECT_EQ(by(days, "tag", kToday).size(), 2U);
    const auto in_order = by(days, "day");
    ASSERT_EQ(in_order.size(), 2U);
    EXPECT_EQ(in_order[0].names[0], "2026-11-29");
}

TEST_F(LedgerBookTest, WhatAClientHasSpentIsKnownAtOnceByDayAndMonth) {
    EXPECT_EQ(book.spent("chat", kNoon), Spent{});
    book.add(names_of("chat"), call(5), true, kNoon);
    book.add(names_of("chat"), call(7), true, kNoon - 10 * kDaySeconds);
    book.add(names_of("chat"), call(100), true, kNoon - 30 * kDaySeconds);  // in October
    book.add(names_of("search"), call(1000), true, kNoon);
    EXPECT_EQ(book.spent("chat", kNoon), (Spent{.day = 5, .month = 12}));
    EXPECT_EQ(book.spent("chat", kNoon + kDaySeconds), Spent{});  // December
    EXPECT_EQ(book.spent("nobody", kNoon), Spent{});
}

TEST_F(LedgerBookTest, AClockThatIsAheadForAWhileCostsNothing) {
    book.add(names_of("chat"), call(5), true, kNoon);
    book.add(names_of("chat"), call(6), true, kNoon + 400 * kDaySeconds);
    book.add(names_of("chat"), call(7), true, kNoon);
    EXPECT_EQ(book.spent("chat", kNoon), (Spent{.day = 12, .month = 12}));
    EXPECT_EQ(by(book.days(), "day").size(), 2U);
}

TEST_F(LedgerBookTest, OutlivesARestart) {
    book.add(names_of("chat", "a"), call(5), true, kNoon);
    book.add(names_of("search"), call(9), true, kNoon - kDaySeconds);
    LedgerBook next{LedgerLimits{}, {"chat"}, {}};
    next.take(book.days());
    EXPECT_EQ(next.spent("chat", kNoon), (Spent{.day = 5, .month = 5}));
    next.add(names_of("chat", "a"), call(1), true, kNoon);
    const auto clients = by(next.days(), "client");
    ASSERT_EQ(clients.size(), 2U);
    EXPECT_EQ(clients[0].costs.cost, 9U);
    EXPECT_EQ(clients[1].costs.cost, 6U);
    EXPECT_EQ(by(book.days(), "client")[1].costs.cost, 5U);
}

TEST_F(LedgerBookTest, ACopyOfTheDaysStaysAsItIs) {
    book.add(names_of("chat"), call(5), true, kNoon);
    const LedgerDays before = book.days();
    book.add(names_of("chat"), call(5), true, kNoon);
    EXPECT_EQ(by(book.days(), "client")[0].costs.cost, 10U);
    EXPECT_EQ(by(before, "client")[0].costs.cost, 5U);
}

TEST_F(LedgerBookTest, NamesThatNobodyConfiguredAreOtherUntilTheyHaveHadAnAnswer) {
    book.add(names_of("stranger"), call(1), false, kNoon);
    EXPECT_EQ(by(book.days(), "client")[0].names[0], "other");
    book.add(names_of("stranger"), call(50), true, kNoon);
    EXPECT_EQ(by(book.days(), "client")[0].names[0], "stranger");
    for (int i = 0; i < 1000; ++i) {
        book.add(names_of("client" + std::to_string(i), "", "model" + std::to_string(i)), call(1),
                 true, kNoon);
    }
    EXPECT_LE(by(book.days(), "client").size(), kMaxLabelValues + 2);
    EXPECT_LE(by(book.days(), "model").size(), kMaxLabelValues + 2);
    book.add(names_of(""), call(1), true, kNoon);
    EXPECT_EQ(by(book.days(), "client").back().names[0], "none");
}

TEST_F(LedgerBookTest, AConfiguredClientHasItsOwnRowHoweverManyThereAre) {
    std::vector<std::string> many;
    for (int i = 0; i < 1000; ++i) {
        many.push_back("client" + std::to_string(i));
    }
    book.configure(LedgerLimits{}, many, {});
    for (const std::string& client : many) {
        book.add(names_of(client), call(2), true, kNoon);
    }
    EXPECT_EQ(by(book.days(), "client").size(), many.size());
    EXPECT_EQ(book.spent("client999", kNoon), (Spent{.day = 2, .month = 2}));
}

TEST(LedgerDayTest, OneClientCannotUseUpTheTagsOfTheOthers) {
    const LedgerLimits limits{.tags = 8};
    LedgerDay day;
    for (int i = 0; i < 100; ++i) {
        day.add(names_of("chat", "chat" + std::to_string(i)), call(1), limits);
    }
    day.add(names_of("search", "nightly"), call(1), limits);
    std::size_t of_chat = 0;
    bool nightly = false;
    for (const auto& [names, costs] : day.rows()) {
        of_chat += names[0] == "chat" ? 1 : 0;
        nightly |= names[4] == "nightly";
    }
    EXPECT_EQ(of_chat, 5U);  // half of the eight, and `other`
    EXPECT_TRUE(nightly);
    const LedgerLimits none{.tags = 0};
    LedgerDay without;
    without.add(names_of("chat", "a"), call(1), none);
    EXPECT_EQ(without.rows().begin()->first[4], "other");
}

TEST(LedgerDayTest, RowsAreBoundedAndAClientKeepsItsMoney) {
    const LedgerLimits limits{.tags = 10'000, .keys = 20};
    LedgerDay day;
    for (int i = 0; i < 500; ++i) {
        day.add(names_of("chat", "t" + std::to_string(i)), call(1), limits);
        day.add(names_of("search", "t" + std::to_string(i)), call(2), limits);
    }
    EXPECT_LE(day.size(), 22U);
    NanoDollars chat = 0;
    for (const auto& [names, costs] : day.rows()) {
        chat += names[0] == "chat" ? costs.cost : 0;
    }
    EXPECT_EQ(chat, 500U);
    day.fold({CostName::client});
    ASSERT_EQ(day.size(), 2U);
    EXPECT_EQ(day.rows().begin()->second.cost, 500U);
}

TEST(LedgerTest, KeepsTheLatestDays) {
    Ledger ledger(LedgerLimits{.days = 31});
    for (Day day = kToday - 99; day <= kToday; ++day) {
        ledger.add(day, names_of("chat"), call(1));
    }
    ledger.add(kToday - 99, names_of("chat"), call(1));
    const LedgerDays days = ledger.days();
    ASSERT_EQ(days.size(), 31U);
    EXPECT_EQ(days.begin()->first, kToday - 30);
}

TEST(LedgerTest, ALimitThatIsLoweredMakesRoomAtOnce) {
    Ledger ledger(LedgerLimits{.days = 40});
    ledger.add(kToday - 90, names_of("chat"), call(1));
    for (Day day = kToday + 1; day < kToday + 40; ++day) {  // the clock was ahead
        ledger.add(day, names_of("chat"), call(1));
    }
    ledger.limit(LedgerLimits{.days = 31});
    EXPECT_EQ(ledger.days().size(), 31U);
    ledger.add(kToday, names_of("chat"), call(1));  // earlier than all that are left
    EXPECT_EQ(ledger.days().size(), 31U);
    EXPECT_EQ(ledger.days().begin()->first, kToday + 9);
}

/// Days of 20 tags each, where there is room for 50 rows in all.
LedgerDays crowded(int days) {
    Ledger ledger(LedgerLimits{.tags = 1000, .all = 50});
    for (Day day = kToday - days + 1; day <= kToday; ++day) {
        for (int i = 0; i < 20; ++i) {
            ledger.add(day, names_of("chat", "t" + std::to_string(i)), call(1));
        }
    }
    return ledger.days();
}

TEST(LedgerTest, WhereRowsAreTooManyTheEarliestDaysLoseTheirTagsFirst) {
    const LedgerDays days = crowded(5);
    const auto& [names, costs] = *days.begin()->second->rows().begin();
    EXPECT_EQ(names[static_cast<std::size_t>(CostName::tag)], "other");
    EXPECT_NE(names[static_cast<std::size_t>(CostName::model)], "other");
    EXPECT_EQ(costs.cost, 20U);
}

TEST(LedgerTest, WhereRowsAreTooManyTheEarliestDaysKeepOneAClient) {
    const LedgerDays days = crowded(10);
    ASSERT_EQ(days.size(), 10U);
    EXPECT_EQ(days.begin()->second->size(), 1U);
    EXPECT_EQ(days.rbegin()->second->size(), 20U);
    EXPECT_EQ(by(days, "client")[0].costs.cost, 200U);
}

TEST(CostsTest, SumsStayAtTheLargestNumber) {
    Costs costs = call(std::numeric_limits<NanoDollars>::max());
    costs.add(call(5));
    EXPECT_EQ(costs.cost, std::numeric_limits<NanoDollars>::max());
    EXPECT_EQ(costs.requests, 2U);
}

TEST_F(LedgerBookTest, ThreadsLoseNothing) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([this, t] {
            for (int i = 0; i < 2000; ++i) {
                book.add(names_of("chat", "t" + std::to_string((t * 7 + i) % 50)), call(1), true,
                         kNoon + i % 2 * kDaySeconds);
            }
        });
    }
    for (int i = 0; i < 20; ++i) {
        book.days();
    }
    for (auto& thread : threads) {
        thread.join();
    }
    const LedgerDays days = book.days();
    EXPECT_EQ(by(days, "client")[0].costs.requests, 8000U);
    EXPECT_EQ(book.spent("chat", kNoon).day + book.spent("chat", kNoon + kDaySeconds).day, 8000U);
    EXPECT_EQ(book.changes(), 8000U);
}

}  // namespace
}  // namespace weir::observe
