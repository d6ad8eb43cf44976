// Spending that instances tell each other, through a real server.
#include "shared/spendings.h"
#include "unit/shared/support.h"

#include <cmath>
#include <deque>

namespace weir::shared::test {
namespace {

using policy::BudgetPeriod;
using policy::SpendingAnswer;
using policy::SpendingReport;

SpendingReport report(policy::MicroDollars spent, policy::MicroDollars under_way = 0,
                      std::string name = "2026-11-30") {
    SpendingReport out;
    out.name = std::move(name);
    out.counted = out.spent = spent;
    out.under_way = under_way;
    return out;
}

class StoredSpendings : public ::testing::Test {
protected:
    StoredSpendings() : rig_(server_.url(), std::string(Spendings::script())) {
        rig_.on_loop([this] {
            spendings_.emplace(rig_.store(), "weir", [this](LogLevel, std::string_view line) {
                log_.append(line).append("\n");
            });
        });
        EXPECT_TRUE(rig_.goes_up());
    }
    ~StoredSpendings() override {
        rig_.on_loop([this] {
            rig_.store().stop();
            spendings_.reset();
        });
    }
    std::vector<SpendingAnswer> tell(const std::string& client, const std::string& instance,
                                     std::vector<SpendingReport> reports) {
        struct Told {
            std::vector<SpendingAnswer> answers;
            std::promise<void> all;
        };
        const auto told = std::make_shared<Told>();
        const std::size_t count = reports.size();
        rig_.on_loop([&] {
            spendings_->exchange(client, instance, std::move(reports),
                                 [told, count](const SpendingAnswer& answer) {
                                     told->answers.push_back(answer);
                                     if (told->answers.size() == count) {
                                         told->all.set_value();
                                     }
                                 });
        });
        // Without an answer none comes.
        if (told->all.get_future().wait_for(seconds(1)) != std::future_status::ready) {
            return {};
        }
        return told->answers;
    }
    std::string log() {
        std::string text;
        rig_.on_loop([&] { text = log_; });
        return text;
    }

    const RedisServer server_;
    Rig rig_;
    std::string log_;  // on the loop
    std::optional<Spendings> spendings_;
};

TEST_F(StoredSpendings, AreSummedOverInstancesByClientAndPeriod) {
    tell("etl", "a", {report(1'000), report(5'000, 0, "2026-11")});
    tell("chat", "a", {report(77'000)});
    const auto answers = tell("etl", "b", {report(20, 3), report(40, 3, "2026-11")});
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_EQ(answers[0].own, 20U);
    EXPECT_EQ(answers[0].others, 1'000U);
    EXPECT_EQ(answers[0].instances, 2U);
    EXPECT_EQ(answers[0].strange, 0U);
    EXPECT_EQ(answers[0].to, report(20, 3));
    EXPECT_EQ(answers[1].others, 5'000U);
    const auto back = tell("etl", "a", {report(1'000)});
    EXPECT_EQ(back.at(0).others, 20U);
    EXPECT_EQ(back.at(0).others_under_way, 3U);
}

TEST_F(StoredSpendings, ReportsThatComeTwiceOrLateChangeNothing) {
    tell("etl", "a", {report(1'000)});
    tell("etl", "a", {report(1'000)});
    EXPECT_EQ(tell("etl", "a", {report(400)}).at(0).own, 1'000U);
    EXPECT_EQ(tell("etl", "b", {report(1)}).at(0).others, 1'000U);
}

TEST_F(StoredSpendings, WhoOnlyAsksLeavesNothingBehind) {
    EXPECT_EQ(tell("etl", "a", {report(0)}).at(0).own, 0U);
    EXPECT_EQ(server_.command({"EXISTS", "weir:{spent:etl}:2026-11-30"}).integer, 0);
}

TEST_F(StoredSpendings, AreForgottenAfterTheirPeriod) {
    SpendingReport month = report(5, 0, "2026-11");
    month.period = BudgetPeriod::month;
    tell("etl", "a", {report(5), month});
    const auto day = server_.command({"TTL", "weir:{spent:etl}:2026-11-30"}).integer;
    EXPECT_GT(day, 86'400);
    EXPECT_LE(day, 3 * 86'400);
    EXPECT_GT(server_.command({"TTL", "weir:{spent:etl}:2026-11"}).integer, 31 * 86'400);
}

TEST_F(StoredSpendings, LargeAmountsStayExact) {
    constexpr policy::MicroDollars kMuch = 999'999'999'999'999;
    EXPECT_EQ(tell("etl", "a", {report(kMuch)}).at(0).own, kMuch);
    EXPECT_EQ(tell("etl", "b", {report(kMuch)}).at(0).others, kMuch);
    EXPECT_EQ(tell("etl", "c", {report(1)}).at(0).others, policy::kMostMicroDollars);
}

TEST_F(StoredSpendings, CallsUnderWayOfASilentInstanceDoNotCount) {
    tell("etl", "a", {report(10, 5)});
    server_.command({"HSET", "weir:{spent:etl}:2026-11-30", "dead", "100 50 1000"});
    const auto answer = tell("etl", "b", {report(1)}).at(0);
    EXPECT_EQ(answer.others, 110U);
    EXPECT_EQ(answer.others_under_way, 5U);
}

TEST_F(StoredSpendings, StrangeValuesAreNotCountedAndToldOnce) {
    const char* key = "weir:{spent:etl}:2026-11-30";
    int count = 0;
    for (const std::string& value :
         {std::string("x"), std::string(), std::string("1 2"), std::string("-5 0 1"),
          std::string("1e9 0 1"), std::string("nan nan nan"), std::string(400, '9') + " 0 1",
          std::string("1000000000000001 0 1"), std::string("5 0 1 7"), std::string("\0\xff", 2)}) {
        server_.command({"HSET", key, "s" + std::to_string(count++), value});
    }
    server_.command({"HSET", key, "a", "nonsense"});
    tell("etl", "b", {report(50)});
    const auto answer = tell("etl", "a", {report(7)}).at(0);
    EXPECT_EQ(answer.own, 7U);
    EXPECT_EQ(answer.others, 50U);
    EXPECT_EQ(answer.strange, static_cast<std::uint32_t>(count));
    tell("etl", "a", {report(8)});
    EXPECT_EQ(log(),
              "shared: weir:{spent:etl}:2026-11-30 has 11 values that no instance has written; "
              "they are not counted\n");
}

TEST_F(StoredSpendings, AKeyOfAnotherTypeIsToldOnceAndLeftAlone) {
    server_.command({"SET", "weir:{spent:etl}:2026-11-30", "mine"});
    EXPECT_TRUE(tell("etl", "a", {report(7)}).empty());
    EXPECT_TRUE(tell("etl", "a", {report(7)}).empty());
    const std::string text = log();
    EXPECT_EQ(std::ranges::count(text, '\n'), 1) << text;
    EXPECT_NE(text.find("the keys of weir:{spent:etl} hold something else (WRONGTYPE"),
              std::string::npos)
        << text;
    EXPECT_EQ(server_.command({"GET", "weir:{spent:etl}:2026-11-30"}).text, "mine");
    EXPECT_EQ(tell("chat", "a", {report(7)}).at(0).own, 7U) << "the store is not down by it";
}

TEST_F(StoredSpendings, WithoutTheStoreNobodyIsTold) {
    rig_.on_loop([this] { rig_.store().stop(); });
    EXPECT_TRUE(tell("etl", "a", {report(7)}).empty());
    EXPECT_EQ(log(), "") << "the store's own lines tell of it";
}

TEST(Spendings, AnotherProgramsAnswerIsNone) {
    const auto text = [](const char* value) {
        Reply reply;
        reply.kind = Reply::Kind::text;
        reply.text = value;
        return reply;
    };
    Reply good;
    good.kind = Reply::Kind::array;
    good.items = {text("1"), text("2"), text("3"), text("4"), text("0")};
    ASSERT_TRUE(spending_answers({report(1)}, good));
    EXPECT_EQ(spending_answers({report(1)}, good)->at(0).others_under_way, 3U);
    EXPECT_FALSE(spending_answers({report(1), report(2)}, good));
    EXPECT_FALSE(spending_answers({report(1)}, text("1")));
    for (const char* value : {"", "-1", "1.5", "x", "99999999999999999999", "1000000000000001"}) {
        Reply bad = good;
        bad.items[1] = text(value);
        EXPECT_FALSE(spending_answers({report(1)}, bad)) << value;
    }
    Reply nested = good;
    nested.items[0] = good;
    EXPECT_FALSE(spending_answers({report(1)}, nested));
}

/// Instances that crash, a store that is cut off and loses all: what is said of the policy holds
/// with the real script.
TEST_F(StoredSpendings, HoldOverCrashesAndRepeats) {
    constexpr std::int64_t kNow = 1'796'040'000;
    BudgetConfig config;
    config.per_day = 1000;
    struct Instance {
        std::string name;
        policy::Spending counted = {};
        double in_file = 0;
        policy::SharedSpending shared = {};
    };
    std::minstd_rand random{7};
    const auto below = [&](unsigned n) { return random() % n; };
    std::deque<Instance> all;
    for (const char* name : {"a", "b", "c"}) {
        all.push_back({name});
        all.back().shared.begin({}, kNow);
    }
    const auto exchange = [&](Instance& one, bool lost) {
        for (const auto& answer :
             tell("etl", one.name, one.shared.reports(config, one.counted, 0, kNow))) {
            if (!lost) {
                one.shared.heard(answer, kNow);
            }
        }
    };
    for (Instance& one : all) {
        exchange(one, false);
    }
    double spent = 0;
    for (int step = 0; step < 300; ++step) {
        Instance& one = all[below(3)];
        switch (below(5)) {
            case 0: {  // it crashes after it has told, and its file is older
                exchange(one, true);
                Instance next{one.name};
                next.counted = {one.in_file, one.in_file};
                next.in_file = one.in_file;
                next.shared.begin(next.counted, kNow);
                one = next;
                exchange(one, false);
                break;
            }
            case 1:
                one.in_file = one.counted.day;
                break;
            case 2:
                exchange(one, below(2) == 0);
                break;
            default:
                one.counted.day += 0.25;
                one.counted.month += 0.25;
                spent += 0.25;
                break;
        }
    }
    for (int round = 0; round < 2; ++round) {
        for (Instance& one : all) {
            exchange(one, false);
        }
    }
    for (const Instance& one : all) {
        EXPECT_NEAR(one.shared.total(one.counted, kNow).day, spent, 1e-3) << one.name;
    }
}

}  // namespace
}  // namespace weir::shared::test
