// Spending that instances share, against a store that loses messages, and instances that crash.
#include "policy/shared_spending.h"

#include "unit/given.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <memory>

namespace weir::policy {
namespace {

constexpr std::int64_t kDay = 86'400;

BudgetConfig both() {
    BudgetConfig config;
    config.per_day = 10;
    config.per_month = 100;
    return config;
}

/// As the script has it.
class Store {
public:
    SpendingAnswer answer(const std::string& instance, const SpendingReport& report) {
        auto& fields = hashes_[report.name];
        MicroDollars& own = fields[instance];
        own = std::max(own, report.spent);
        SpendingAnswer out;
        out.to = report;
        out.own = own;
        for (const auto& [name, spent] : fields) {
            out.others += name == instance ? 0 : spent;
        }
        out.instances = static_cast<std::uint32_t>(fields.size());
        return out;
    }
    void lose() { hashes_.clear(); }
    double told(const std::string& instance) {
        return from_micros(hashes_["2026-11-30"][instance]);
    }

private:
    std::map<std::string, std::map<std::string, MicroDollars>> hashes_;
};

struct Instance {
    std::string name;
    Spending counted;  // by its ledger
    double in_file = 0;
    double truth = 0;  // of all its runs, less what a crash has lost
    SharedSpending shared;

    explicit Instance(std::string n, double kept = 0)
        : name(std::move(n)), counted{kept, kept}, in_file(kept), truth(kept) {
        shared.begin(counted, kNow);
    }
    void spend(double usd) {
        counted.day += usd;
        counted.month += usd;
        truth += usd;
    }
    void exchange(Store& store, std::int64_t now = kNow, bool lost = false) {
        for (const auto& report : shared.reports(both(), counted, 0, now)) {
            const auto answer = store.answer(name, report);
            if (!lost) {
                shared.heard(answer, now);
            }
        }
    }
    double day(std::int64_t now = kNow) const { return shared.total(counted, now).day; }
    double month(std::int64_t now = kNow) const { return shared.total(counted, now).month; }
};

TEST(SharedSpending, IsTheSumOfAllInstances) {
    Store store;
    Instance a("a"), b("b");
    a.spend(3);
    b.spend(4);
    EXPECT_DOUBLE_EQ(a.day(), 3) << "alone until it has heard";
    for (int round = 0; round < 3; ++round) {
        a.exchange(store);
        b.exchange(store);
    }
    EXPECT_DOUBLE_EQ(a.day(), 7);
    EXPECT_DOUBLE_EQ(b.month(), 7);
    a.spend(1);
    EXPECT_DOUBLE_EQ(a.day(), 8) << "its own at once";
}

TEST(SharedSpending, OnlyPeriodsWithABudgetAreTold) {
    SharedSpending shared;
    BudgetConfig config;
    EXPECT_TRUE(shared.reports(config, {1, 2}, 0, kNow).empty());
    config.per_month = 5;
    const auto reports = shared.reports(config, {1, 2}, 0.5, kNow);
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_EQ(reports[0].name, "2026-11");
    EXPECT_EQ(reports[0].counted, 2'000'000U);
    EXPECT_EQ(reports[0].spent, 0U) << "it does not know yet what earlier runs have told";
    EXPECT_EQ(reports[0].under_way, 500'000U);
}

TEST(SharedSpending, BeginsAnewWithItsPeriod) {
    Store store;
    Instance a("a"), b("b");
    b.spend(4);
    b.exchange(store);
    b.exchange(store);
    a.exchange(store);
    EXPECT_DOUBLE_EQ(a.day(), 4);
    EXPECT_DOUBLE_EQ(a.day(kNow + kDay), 0);
    EXPECT_DOUBLE_EQ(a.month(kNow + kDay), 0) << "it was the month's last day";
    const auto late = store.answer("a", a.shared.reports(both(), {}, 0, kNow).front());
    EXPECT_EQ(a.shared.reports(both(), {}, 0, kNow + kDay).front().name, "2026-12-01");
    a.shared.heard(late, kNow + kDay);
    EXPECT_DOUBLE_EQ(a.day(kNow + kDay), 0) << "an answer on yesterday";
}

TEST(SharedSpending, AnInstanceThatLostCountGoesOnWhereItHadTold) {
    Store store;
    Instance before("a");
    before.spend(5);
    before.exchange(store);
    before.exchange(store);
    Instance after("a", 2);  // its file was older
    EXPECT_DOUBLE_EQ(after.day(), 2);
    after.spend(1);
    after.exchange(store, kNow, true);
    after.exchange(store);
    EXPECT_DOUBLE_EQ(after.day(), 6);
    after.exchange(store);
    after.exchange(store);
    EXPECT_DOUBLE_EQ(after.day(), 6) << "once";
    EXPECT_DOUBLE_EQ(store.told("a"), 6);
}

TEST(SharedSpending, AnswersInAnotherOrderChangeNothing) {
    Store store;
    Instance a("a");
    a.spend(5);
    a.exchange(store);
    a.exchange(store);
    Instance again("a", 2);
    const auto reports = again.shared.reports(both(), again.counted, 0, kNow);
    const auto first = store.answer("a", reports[0]);
    const auto second = store.answer("a", reports[0]);
    again.shared.heard(second, kNow);
    again.shared.heard(first, kNow);
    again.shared.heard(second, kNow);
    EXPECT_DOUBLE_EQ(again.day(), 5);
}

TEST(SharedSpending, AStoreThatLostAllLowersNothing) {
    Store store;
    Instance a("a"), b("b");
    a.spend(3);
    b.spend(4);
    for (int round = 0; round < 3; ++round) {
        a.exchange(store);
        b.exchange(store);
    }
    store.lose();
    a.exchange(store);
    EXPECT_DOUBLE_EQ(a.day(), 7);
    b.exchange(store);
    b.spend(1);
    b.exchange(store);
    a.exchange(store);
    EXPECT_DOUBLE_EQ(a.day(), 8);
}

TEST(SharedSpending, CallsUnderWayElsewhereAreForgottenWithoutNews) {
    SharedSpending shared;
    SpendingAnswer answer;
    answer.to = shared.reports(both(), {}, 0, kNow).front();
    answer.others_under_way = 2'500'000;
    shared.heard(answer, kNow);
    EXPECT_DOUBLE_EQ(shared.others_under_way(kNow + 5), 2.5);
    EXPECT_DOUBLE_EQ(shared.others_under_way(kNow + 60), 0);
    EXPECT_DOUBLE_EQ(shared.others_under_way(kNow - 60), 0) << "the clock was set back";
}

TEST(SharedSpending, HugeFiguresStayWhatTheyCanBe) {
    SharedSpending shared;
    SpendingAnswer answer;
    answer.to = shared.reports(both(), {}, 0, kNow).front();
    answer.own = answer.others = answer.others_under_way = ~MicroDollars{0};
    shared.heard(answer, kNow);
    EXPECT_DOUBLE_EQ(shared.total({1, 1}, kNow).day, 1 + 2e9);
    EXPECT_DOUBLE_EQ(shared.others_under_way(kNow), 1e9);
    EXPECT_EQ(shared.reports(both(), {1e12, 1e12}, 1e12, kNow).front().spent, kMostMicroDollars);
}

TEST(SharedSpending, OfTwoInstancesInOneNameTheLargerTotalCounts) {
    Store store;
    Instance a("a"), clone("a");
    for (int round = 0; round < 5; ++round) {
        a.spend(1);
        a.exchange(store);
        clone.spend(2);
        clone.exchange(store);
    }
    a.exchange(store);
    EXPECT_GE(a.day(), 10);
    EXPECT_LE(a.day(), 15);
    EXPECT_DOUBLE_EQ(a.day(), clone.day());
}

/// Whatever is lost, nobody counts more than was spent; and when all is quiet everybody counts all
/// but what was neither told nor kept before a crash.
void holds_under_crashes() {
    Store store;
    std::vector<std::unique_ptr<Instance>> all;
    int names = 0;
    const auto born = [&] { return std::make_unique<Instance>("i" + std::to_string(names++)); };
    const auto count = *rc::gen::inRange<std::size_t>(1, 5);
    for (std::size_t i = 0; i < count; ++i) {
        all.push_back(born());
    }
    double spent = 0;
    double lost = 0;
    const auto steps = *rc::gen::inRange(0, 200);
    for (int step = 0; step < steps; ++step) {
        auto& one = all[*rc::gen::inRange<std::size_t>(0, all.size())];
        switch (*rc::gen::inRange(0, 8)) {
            case 0:
            case 1:
            case 2: {
                const double usd = *rc::gen::inRange(0, 1000) / 100.0;
                one->spend(usd);
                spent += usd;
                break;
            }
            case 3:
                one->exchange(store);
                break;
            case 4:
                one->exchange(store, kNow, true);
                break;
            case 5:
                one->in_file = one->counted.day;
                break;
            case 6: {  // it crashes, and starts with its file
                const double kept = std::max(one->in_file, store.told(one->name));
                lost += one->truth - kept;
                one = std::make_unique<Instance>(one->name, one->in_file);
                one->truth = kept;
                break;
            }
            default:  // it stops in good order and without a file; another comes
                one->exchange(store);
                one->exchange(store);
                one = born();
                break;
        }
        for (const auto& each : all) {
            RC_ASSERT(each->day() <= spent + 1e-3);
        }
    }
    for (int round = 0; round < 3; ++round) {
        for (const auto& each : all) {
            each->exchange(store);
        }
    }
    for (const auto& each : all) {
        RC_ASSERT(each->day() >= spent - lost - 1e-3);
        RC_ASSERT(std::abs(each->day() - all.front()->day()) < 1e-3);
        RC_ASSERT(std::abs(each->day() - each->month()) < 1e-3);
    }
}

TEST(SharedSpending, NothingIsCountedTwiceAndNothingToldIsLost) {
    EXPECT_TRUE(rc::check(holds_under_crashes));
}

}  // namespace
}  // namespace weir::policy
