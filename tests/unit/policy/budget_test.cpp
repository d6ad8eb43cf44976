// Budgets: by UTC days and months, with time as an argument.
#include "policy/budget.h"

#include <gtest/gtest.h>

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t at(int year, unsigned month, unsigned day, int hour = 0, int minute = 0,
                          int second = 0) {
    const auto date = std::chrono::sys_days(std::chrono::year(year) / std::chrono::month(month) /
                                            std::chrono::day(day));
    return std::chrono::sys_seconds(date).time_since_epoch().count() + hour * 3600 + minute * 60 +
           second;
}

BudgetConfig daily(double usd) {
    BudgetConfig config;
    config.per_day = usd;
    return config;
}

BudgetConfig both(double day, double month) {
    BudgetConfig config = daily(day);
    config.per_month = month;
    return config;
}

constexpr std::int64_t kNoon = at(2026, 11, 30, 12);

BudgetState state(const BudgetConfig& config, const Spending& spent, double under_way = 0) {
    return standing(config, spent, under_way, kNoon).value().state;
}

TEST(BudgetPeriods, EndAtMidnightAndAtTheFirstInUtc) {
    struct Row {
        std::int64_t now;
        const char *day, *month;
        std::int64_t next_day, next_month;
    };
    for (const Row& row : {
             Row{at(2026, 11, 30, 23, 59, 59), "2026-11-30", "2026-11", at(2026, 12, 1),
                 at(2026, 12, 1)},
             Row{at(2026, 12, 1), "2026-12-01", "2026-12", at(2026, 12, 2), at(2027, 1, 1)},
             Row{at(2026, 12, 31, 23, 59, 59), "2026-12-31", "2026-12", at(2027, 1, 1),
                 at(2027, 1, 1)},
             Row{at(2028, 2, 28, 12), "2028-02-28", "2028-02", at(2028, 2, 29), at(2028, 3, 1)},
             Row{at(2028, 2, 29, 23), "2028-02-29", "2028-02", at(2028, 3, 1), at(2028, 3, 1)},
             Row{at(2027, 2, 28, 23), "2027-02-28", "2027-02", at(2027, 3, 1), at(2027, 3, 1)},
             Row{at(2100, 2, 28), "2100-02-28", "2100-02", at(2100, 3, 1), at(2100, 3, 1)},
             // A night in which clocks of many countries change.
             Row{at(2026, 3, 29, 1, 30), "2026-03-29", "2026-03", at(2026, 3, 30), at(2026, 4, 1)},
             Row{0, "1970-01-01", "1970-01", 86'400, 31 * 86'400},
             Row{-1, "1969-12-31", "1969-12", 0, 0},
         }) {
        EXPECT_EQ(period_name(BudgetPeriod::day, row.now), row.day);
        EXPECT_EQ(period_name(BudgetPeriod::month, row.now), row.month);
        EXPECT_EQ(renewal(BudgetPeriod::day, row.now), row.next_day) << row.day;
        EXPECT_EQ(renewal(BudgetPeriod::month, row.now), row.next_month) << row.day;
    }
}

TEST(Budget, IsFineThenWarnedThenSpent) {
    const BudgetConfig config = daily(10);
    EXPECT_EQ(state(config, {0, 0}), BudgetState::fine);
    EXPECT_EQ(state(config, {7.999998, 0}), BudgetState::fine);
    EXPECT_EQ(state(config, {8, 0}), BudgetState::warned);
    EXPECT_EQ(state(config, {9.999998, 0}), BudgetState::warned);
    EXPECT_EQ(state(config, {10, 0}), BudgetState::spent);
    EXPECT_EQ(state(config, {12, 0}), BudgetState::spent);
    EXPECT_EQ(state(config, {0, 99}), BudgetState::fine) << "there is no budget of the month";
}

TEST(Budget, SumsOfSmallAmountsReachIt) {
    double spent = 0;
    for (int i = 0; i < 1000; ++i) {
        spent += 0.001;  // 0.9999999999999999 or so
    }
    EXPECT_EQ(state(daily(1), {spent, 0}), BudgetState::spent);
    EXPECT_EQ(state(daily(1e-9), {0, 0}), BudgetState::fine) << "nothing is spent yet";
    EXPECT_EQ(state(daily(1e-9), {1e-6, 0}), BudgetState::spent);
    EXPECT_EQ(state(daily(1e9), {1e18, 0}), BudgetState::spent);
}

TEST(Budget, WarnsAtTheShareThatIsConfigured) {
    BudgetConfig config = both(10, 100);
    config.warn_at = 0.5;
    EXPECT_EQ(state(config, {4.9, 49}), BudgetState::fine);
    EXPECT_EQ(state(config, {5, 5}), BudgetState::warned);
    EXPECT_EQ(state(config, {0, 50}), BudgetState::warned);
    config.warn_at = 1;
    EXPECT_EQ(state(config, {9.9, 99}), BudgetState::fine);
    EXPECT_EQ(state(config, {10, 10}), BudgetState::spent);
}

TEST(Budget, CallsUnderWayHoldTheRestOfIt) {
    EXPECT_EQ(state(daily(10), {9, 0}, 0.5), BudgetState::warned);
    EXPECT_EQ(state(daily(10), {9, 0}, 1), BudgetState::held);
    EXPECT_EQ(state(daily(10), {0, 0}, 100), BudgetState::held);
    EXPECT_EQ(state(daily(10), {10, 0}, 1), BudgetState::spent);
    const auto now = standing(daily(10), {9, 0}, 1, kNoon).value();
    EXPECT_EQ(now.settled_state(0.8), BudgetState::warned) << "as it is reported";
    EXPECT_EQ(retry_after(now, kNoon), 2s) << "not until the day is over";
}

TEST(Budget, OfBothPeriodsTheWorseOneIsTold) {
    const BudgetConfig config = both(10, 100);
    const auto told = [&](double day, double month) {
        return standing(config, {day, month}, 0, kNoon).value();
    };
    EXPECT_EQ(told(8, 10).period, BudgetPeriod::day);
    EXPECT_EQ(told(1, 80).period, BudgetPeriod::month);
    EXPECT_EQ(told(10, 90).period, BudgetPeriod::day);
    EXPECT_EQ(told(9, 100).period, BudgetPeriod::month);
    EXPECT_EQ(told(2, 30).period, BudgetPeriod::month) << "the larger share";
    EXPECT_EQ(told(30, 100).period, BudgetPeriod::month) << "it renews later";
    EXPECT_EQ(told(30, 100).renews_at, at(2026, 12, 1));
    const auto mid_month = standing(config, {30, 100}, 0, at(2026, 11, 10)).value();
    EXPECT_EQ(retry_after(mid_month, at(2026, 11, 10)), 21 * 24h);
    EXPECT_FALSE(standing(BudgetConfig(), {5, 5}, 0, kNoon));
}

TEST(Budget, RenewsWithItsPeriod) {
    const BudgetConfig config = daily(10);
    const auto spent = standing(config, {11, 11}, 0, at(2026, 11, 30, 23, 59, 50)).value();
    EXPECT_EQ(spent.renews_at, at(2026, 12, 1));
    EXPECT_EQ(retry_after(spent, at(2026, 11, 30, 23, 59, 50)), 10s);
    EXPECT_EQ(retry_after(spent, at(2026, 12, 1, 0, 0, 5)), 1s) << "never nothing";
}

TEST(Budget, WhatFollowsIsConfigured) {
    BudgetConfig config = daily(10);
    const auto after = [&](double spent, double under_way) {
        return verdict(config, standing(config, {spent, 0}, under_way, kNoon));
    };
    EXPECT_EQ(after(9, 0.5), BudgetVerdict::go_on);
    EXPECT_EQ(after(10, 0), BudgetVerdict::refuse);
    EXPECT_EQ(after(9, 2), BudgetVerdict::refuse);
    config.then = BudgetEnd::lower;
    EXPECT_EQ(after(9, 0.5), BudgetVerdict::go_on);
    EXPECT_EQ(after(10, 0), BudgetVerdict::lower);
    config.then = BudgetEnd::warn;
    EXPECT_EQ(after(99, 99), BudgetVerdict::go_on);
    EXPECT_EQ(verdict(config, std::nullopt), BudgetVerdict::go_on);
}

TEST(BudgetNews, OneLineForEachStepOfAPeriod) {
    const BudgetConfig config = daily(10);
    std::optional<BudgetStanding> before;
    const auto news = [&](double spent, std::int64_t now) {
        const auto is = standing(config, BudgetPeriod::day, {spent, 0}, 0, now);
        auto line = budget_news("etl", config, before, *is);
        before = is;
        return line;
    };
    EXPECT_EQ(news(1, kNoon), "");
    EXPECT_EQ(news(8.256, kNoon),
              "budget: client etl has spent $8.26 of $10.00 for the day (82 %); it renews at "
              "2026-12-01 00:00 UTC");
    EXPECT_EQ(news(9, kNoon), "");
    EXPECT_EQ(news(10.02, kNoon),
              "budget: client etl has spent $10.02 of $10.00 for the day: its calls are refused "
              "until 2026-12-01 00:00 UTC");
    EXPECT_EQ(news(11, kNoon), "");
    EXPECT_EQ(news(0, at(2026, 12, 1)), "budget: client etl has a new day: $10.00");
    EXPECT_EQ(news(0, at(2026, 12, 2)), "") << "nothing of the last one was told";
}

TEST(BudgetNews, AfterAReloadThatRaisesTheBudget) {
    const auto is = [&](double usd, double spent) {
        return standing(daily(usd), BudgetPeriod::day, {spent, 0}, 0, kNoon);
    };
    EXPECT_EQ(budget_news("etl", daily(20), is(10, 10), *is(20, 10)),
              "budget: client etl has spent $10.00 of $20.00 for the day, below the warning again");
}

TEST(BudgetNews, SaysWhatFollows) {
    BudgetConfig config;
    config.per_month = 1;
    config.then = BudgetEnd::lower;
    const auto line = [&] {
        return budget_news("etl", config, std::nullopt,
                           *standing(config, BudgetPeriod::month, {0, 1}, 0, kNoon));
    };
    EXPECT_TRUE(line().ends_with(
        "for the month: its calls go on in the class batch until 2026-12-01 00:00 UTC"))
        << line();
    config.then = BudgetEnd::warn;
    EXPECT_TRUE(line().ends_with("for the month: its calls go on")) << line();
}

TEST(BudgetText, AmountsAndTimes) {
    EXPECT_EQ(dollars(12.5), "$12.50");
    EXPECT_EQ(dollars(0), "$0.00");
    EXPECT_EQ(dollars(0.0425), "$0.0425");
    EXPECT_EQ(dollars(0.000042), "$0.000042");
    EXPECT_EQ(utc_text(at(2026, 12, 1, 7, 5, 59)), "2026-12-01 07:05 UTC");
}

TEST(ExpectedOutput, FollowsWhatAnswersHaveBeen) {
    OutputMeans means;
    EXPECT_EQ(means.expected("a", 64'000), 1000U) << "nothing is known yet";
    EXPECT_EQ(means.expected("a", 200), 200U) << "max_tokens at most";
    means.saw("a", 300);
    EXPECT_EQ(means.expected("a", 64'000), 300U);
    EXPECT_EQ(means.expected("b", 64'000), 300U) << "as for other models";
    for (int i = 0; i < 200; ++i) {
        means.saw("a", 50);
        means.saw("b", 4000);
    }
    EXPECT_NEAR(static_cast<double>(means.expected("a", 64'000)), 50, 1);
    EXPECT_NEAR(static_cast<double>(means.expected("b", 64'000)), 4000, 1);
    EXPECT_EQ(means.expected("a", 0), 0U);
}

TEST(ExpectedOutput, OfManyModelsTakesBoundedMemory) {
    OutputMeans means;
    for (int i = 0; i < 10'000; ++i) {
        means.saw("model-" + std::to_string(i), 700);
    }
    EXPECT_EQ(means.expected("model-9999", 64'000), 700U);
}

}  // namespace
}  // namespace weir::policy
