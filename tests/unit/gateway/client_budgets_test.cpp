// Budgets of clients: holds, admissions, reports, and what the log hears.
#include "gateway/client_budgets.h"

#include "unit/given.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <thread>

namespace weir::gateway {
namespace {

using policy::BudgetState;
using policy::BudgetVerdict;

constexpr std::int64_t kDay = 86'400;

ClientConfig with_budget(const std::string& name, double per_day,
                         BudgetEnd then = BudgetEnd::refuse) {
    ClientConfig client;
    client.name = name;
    client.budget.emplace();
    client.budget->per_day = per_day;
    client.budget->then = then;
    return client;
}

class ClientBudgetsTest : public ::testing::Test {
protected:
    void spend(const std::string& client, double usd) {
        ledger_[client].day += usd;
        ledger_[client].month += usd;
    }
    struct Admitted : ClientBudgets::Admission {
        ClientBudgets::Hold hold;
    };
    Admitted admit(const ClientConfig& client, double may_cost, bool enforced = true) {
        Admitted out;
        out.hold = budgets_.hold_of(client.name);
        if (out.hold.held()) {
            static_cast<ClientBudgets::Admission&>(out) =
                budgets_.admit(out.hold, *client.budget, enforced, may_cost, kNow);
        }
        return out;
    }
    BudgetVerdict offered(const ClientConfig& client) { return admit(client, 0).verdict; }

    std::map<std::string, policy::Spending, std::less<>> ledger_;
    std::string log_;
    ClientBudgets budgets_{
        [this](std::string_view client, std::int64_t now) {
            const auto found = ledger_.find(client);
            return found == ledger_.end() || now >= kNow + kDay / 2 ? policy::Spending()
                                                                    : found->second;
        },
        [this](LogLevel, std::string_view line) { log_.append(line).append("\n"); }};
};

TEST_F(ClientBudgetsTest, OneClientsMoneyIsNotAnothers) {
    const auto etl = with_budget("etl", 10), chat = with_budget("chat", 10);
    budgets_.configure({etl, chat}, kNow);
    spend("etl", 11);
    EXPECT_EQ(offered(etl), BudgetVerdict::refuse);
    EXPECT_EQ(offered(chat), BudgetVerdict::go_on);
}

TEST_F(ClientBudgetsTest, CallsUnderWayCountAsWhatTheyMayCost) {
    const auto etl = with_budget("etl", 10);
    budgets_.configure({etl}, kNow);
    spend("etl", 7);
    auto first = admit(etl, 0.5);
    first.hold.set(1);
    auto second = admit(etl, 2);
    EXPECT_EQ(first.standing->state, BudgetState::fine);
    EXPECT_EQ(second.verdict, BudgetVerdict::go_on);
    const auto third = admit(etl, 0.5);
    EXPECT_EQ(third.verdict, BudgetVerdict::refuse);
    EXPECT_EQ(third.standing->state, BudgetState::held);
    EXPECT_DOUBLE_EQ(third.standing->under_way, 3);
    EXPECT_FALSE(third.hold.held()) << "what is refused holds nothing";
    second.hold.set(0.5);
    EXPECT_EQ(offered(etl), BudgetVerdict::go_on);
    first.hold.release();
    first.hold.release();
    second.hold = {};
    EXPECT_DOUBLE_EQ(budgets_.status(kNow).at(0).day->under_way, 0);
}

TEST_F(ClientBudgetsTest, ManyCallsAtOnceDoNotOvershootTogether) {
    const auto etl = with_budget("etl", 10);
    budgets_.configure({etl}, kNow);
    std::array<std::vector<Admitted>, 4> calls;
    std::vector<std::thread> threads;
    for (auto& mine : calls) {
        threads.emplace_back([&] {
            for (int i = 0; i < 100; ++i) {
                mine.push_back(admit(etl, 1));
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    int admitted = 0;
    for (auto& some : calls) {
        admitted += static_cast<int>(
            std::ranges::count_if(some, [](const auto& call) { return call.hold.held(); }));
        some.clear();
    }
    EXPECT_EQ(admitted, 10);
    EXPECT_DOUBLE_EQ(budgets_.status(kNow).at(0).day->under_way, 0);
}

TEST_F(ClientBudgetsTest, IsNotEnforcedWhereCallsAreObserved) {
    const auto etl = with_budget("etl", 10);
    budgets_.configure({etl}, kNow);
    spend("etl", 11);
    const auto observed = admit(etl, 1, false);
    EXPECT_EQ(observed.verdict, BudgetVerdict::go_on);
    EXPECT_EQ(observed.standing->state, BudgetState::spent);
    EXPECT_TRUE(observed.hold.held());
}

TEST_F(ClientBudgetsTest, AReloadIsInForceAtOnceAndKeepsWhatIsUnderWay) {
    auto etl = with_budget("etl", 10);
    budgets_.configure({etl}, kNow);
    auto call = admit(etl, 3);
    spend("etl", 9);
    EXPECT_EQ(offered(etl), BudgetVerdict::refuse);
    etl = with_budget("etl", 20);
    budgets_.configure({etl}, kNow);
    EXPECT_EQ(offered(etl), BudgetVerdict::go_on);
    EXPECT_DOUBLE_EQ(budgets_.status(kNow).at(0).day->under_way, 3);
    EXPECT_DOUBLE_EQ(budgets_.status(kNow).at(0).day->budget, 20);
    budgets_.configure({}, kNow);
    EXPECT_TRUE(budgets_.status(kNow).empty());
    EXPECT_EQ(offered(etl), BudgetVerdict::go_on) << "of the configuration before";
    call.hold.release();
}

TEST_F(ClientBudgetsTest, AReloadThatTakesTheBudgetAwayAndBringsItBackForgetsNothing) {
    const auto etl = with_budget("etl", 10), chat = with_budget("chat", 10);
    budgets_.configure({etl, chat}, kNow);
    auto call = admit(etl, 3);
    call.hold.estimate(2, kNow);
    budgets_.configure({chat}, kNow);
    EXPECT_EQ(budgets_.status(kNow).size(), 1U);
    budgets_.configure({chat}, kNow);
    budgets_.configure({etl, chat}, kNow);
    const auto status = budgets_.status(kNow).at(1);
    EXPECT_DOUBLE_EQ(status.day->under_way, 3);
    EXPECT_DOUBLE_EQ(status.day->spent, 2);
    call.hold.release();
    EXPECT_DOUBLE_EQ(budgets_.status(kNow).at(1).day->under_way, 0);
}

TEST_F(ClientBudgetsTest, TheLogHearsOfEachStepOnce) {
    budgets_.configure({with_budget("etl", 10), with_budget("chat", 10)}, kNow);
    budgets_.look(10, kNow);
    EXPECT_EQ(log_, "");
    spend("etl", 8);
    budgets_.look(10, kNow);
    budgets_.look(10, kNow);
    spend("etl", 3);
    budgets_.look(10, kNow);
    budgets_.look(10, kNow);
    budgets_.look(10, kNow + kDay);
    EXPECT_EQ(log_,
              "budget: client etl has spent $8.00 of $10.00 for the day (80 %); it renews at "
              "2026-12-01 00:00 UTC\n"
              "budget: client etl has spent $11.00 of $10.00 for the day: its calls are refused "
              "until 2026-12-01 00:00 UTC\n"
              "budget: client etl has a new day: $10.00\n");
}

TEST_F(ClientBudgetsTest, LooksAtAFewClientsATime) {
    std::vector<ClientConfig> clients;
    for (int i = 0; i < 10; ++i) {
        clients.push_back(with_budget("c" + std::to_string(i), 1));
        spend(clients.back().name, 2);
    }
    budgets_.configure(clients, kNow);
    budgets_.look(4, kNow);
    EXPECT_EQ(std::ranges::count(log_, '\n'), 4);
    budgets_.look(4, kNow);
    budgets_.look(4, kNow);
    EXPECT_EQ(std::ranges::count(log_, '\n'), 10);
    EXPECT_EQ(budgets_.reports(4, kNow).size(), 4U);
    EXPECT_EQ(budgets_.reports(4, kNow).at(0).client, "c4");
    EXPECT_EQ(budgets_.reports(40, kNow).size(), 10U);
}

TEST_F(ClientBudgetsTest, AMissingPriceIsToldOnceAClient) {
    budgets_.configure({with_budget("etl", 10)}, kNow);
    const auto call = budgets_.hold_of("etl");
    budgets_.ended(call, "model-a", 10, true);
    EXPECT_EQ(log_, "");
    budgets_.ended(call, "model-a", 10, false);
    budgets_.ended(budgets_.hold_of("etl"), "model-b", 10, false);
    EXPECT_EQ(log_,
              "budget: client etl uses model-a, which has no price, so that its calls count "
              "nothing: add it to `prices`\n");
}

TEST_F(ClientBudgetsTest, WhatWasCutOffCountsAsItWasExpectedTo) {
    const auto etl = with_budget("etl", 10);
    budgets_.configure({etl}, kNow);
    spend("etl", 6);
    budgets_.hold_of("etl").estimate(4, kNow);
    EXPECT_EQ(offered(etl), BudgetVerdict::refuse);
    EXPECT_DOUBLE_EQ(budgets_.status(kNow).at(0).day->spent, 10);
    EXPECT_DOUBLE_EQ(budgets_.status(kNow + kDay).at(0).day->spent, 0);
    EXPECT_EQ(budgets_.reports(1, kNow).at(0).periods.at(0).counted, 10'000'000U);
}

TEST_F(ClientBudgetsTest, WhatOthersHaveSpentCounts) {
    const auto etl = with_budget("etl", 10);
    budgets_.configure({etl}, kNow);
    spend("etl", 2);
    EXPECT_FALSE(budgets_.status(kNow).at(0).shared);
    policy::SpendingAnswer answer;
    answer.to = budgets_.reports(1, kNow).at(0).periods.at(0);
    answer.others = 7'000'000;
    answer.others_under_way = 1'500'000;
    budgets_.heard("etl", answer, kNow);
    budgets_.heard("nobody", answer, kNow);
    const auto status = budgets_.status(kNow).at(0);
    EXPECT_TRUE(status.shared);
    EXPECT_DOUBLE_EQ(status.day->spent, 9);
    EXPECT_DOUBLE_EQ(status.day->under_way, 1.5);
    EXPECT_EQ(offered(etl), BudgetVerdict::refuse);
}

TEST_F(ClientBudgetsTest, OutputIsExpectedAsItHasBeen) {
    budgets_.configure({with_budget("etl", 10)}, kNow);
    EXPECT_FALSE(budgets_.hold_of("nobody").held());
    const auto call = budgets_.hold_of("etl");
    budgets_.ended(call, "m", 120, true);
    EXPECT_EQ(call.expected_output("m", 64'000), 120U);
    EXPECT_EQ(budgets_.hold_of("etl").expected_output("m", 100), 100U);
}

}  // namespace
}  // namespace weir::gateway
