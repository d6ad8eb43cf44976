#include "gateway/cost_file.h"

#include "gateway/costs_reply.h"
#include "gateway/state_file.h"
#include "observe/ledger_text.h"
#include "unit/given.h"
#include "unit/read_file.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace weir::gateway {
namespace {

using observe::LedgerBook;
using observe::LedgerLimits;

class CostFileTest : public testing::Test {
protected:
    CostFileTest() {
        std::string made = (std::filesystem::temp_directory_path() / "weir-costs-XXXXXX").string();
        folder = ::mkdtemp(made.data());
        path = folder / "costs.json";
    }
    ~CostFileTest() override {
        std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
        std::filesystem::remove_all(folder);
    }

    static void pay(LedgerBook& book, std::uint64_t nanodollars) {
        observe::Costs costs;
        costs.requests = 1;
        costs.cost = nanodollars;
        book.add({"chat", "some.model", "us-east-1", "default", "nightly"}, costs, true, kNow);
    }
    std::string text() const { return read_file(path); }
    void put(const std::string& text) const { std::ofstream(path) << text; }

    LogSink log = [this](LogLevel, std::string_view line) { lines.emplace_back(line); };
    std::filesystem::path folder, path;
    std::vector<std::string> lines;
    LedgerBook book{LedgerLimits{}, {"chat"}, {"some.model"}};
};

TEST_F(CostFileTest, ARestartForgetsNothing) {
    EXPECT_TRUE(take_costs(path, book, log));
    EXPECT_TRUE(lines.empty());
    CostKeeper keeper(path, std::chrono::hours(1), book, log);
    pay(book, 12);
    keeper.finish();
    LedgerBook next{LedgerLimits{}, {"chat"}, {}};
    EXPECT_TRUE(take_costs(path, next, log));
    EXPECT_EQ(next.spent("chat", kNow).day, 12U);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_NE(lines[0].find("1 days"), std::string::npos);
    using std::filesystem::perms;
    EXPECT_EQ(std::filesystem::status(path).permissions(), perms::owner_read | perms::owner_write);
}

TEST_F(CostFileTest, IsWrittenWhileCostsComeIn) {
    CostKeeper keeper(path, std::chrono::milliseconds(5), book, log);
    pay(book, 12);
    for (int i = 0; i < 1000 && text().find("nightly") == std::string::npos; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_NE(text().find("nightly"), std::string::npos);
    keeper.finish();
}

TEST_F(CostFileTest, ABrokenFileIsSetAside) {
    for (
        const std::string& broken :
        {std::string(), std::string("{"), std::string("[]"), std::string(R"({"version":2})"),
         std::string(R"({"version":1,"fields":["requests"],"days":{"2026-11-31":[]}})"),
         std::string(R"({"version":1,"fields":["requests"],"days":{"2026-11-30":[["a"]]}})"),
         std::string(
             R"({"version":1,"fields":["requests"],"days":{"2026-11-30":[["a","b","c","d","e",-1]]}})"),
         std::string(100'000, '['), std::string("\xff\xfe\0", 3)}) {
        lines.clear();
        put(broken);
        LedgerBook next{LedgerLimits{}, {}, {}};
        EXPECT_TRUE(take_costs(path, next, log)) << broken.substr(0, 80);
        EXPECT_EQ(lines.size(), 1U);
        EXPECT_FALSE(std::filesystem::exists(path));
        EXPECT_TRUE(std::filesystem::exists(path.string() + ".broken"));
        EXPECT_TRUE(next.days().empty());
    }
}

TEST_F(CostFileTest, FieldsThatAreNotKnownAreLeftOut) {
    put(R"({"version":1,"fields":["requests","later","cost_nanodollars"],)"
        R"("days":{"2026-11-30":[["chat","m","r","a","",2,99,7]]}})");
    EXPECT_TRUE(take_costs(path, book, log));
    EXPECT_EQ(book.spent("chat", kNow).day, 7U);
}

TEST_F(CostFileTest, AFolderThatIsGoneIsSaidOnceAndTriedAgain) {
    const auto inside = folder / "inside";
    std::filesystem::create_directory(inside);
    CostKeeper keeper(inside / "costs.json", std::chrono::milliseconds(2), book, log);
    std::filesystem::remove_all(inside);
    pay(book, 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    std::filesystem::create_directory(inside);
    for (int i = 0; i < 1000 && !std::filesystem::exists(inside / "costs.json"); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    keeper.finish();
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_NE(lines[0].find("weir goes on"), std::string::npos);
    EXPECT_NE(lines[1].find("is written again"), std::string::npos);
}

TEST_F(CostFileTest, TheAnswerTellsRowsSumsAndWhatHasNoPrice) {
    pay(book, 1'500'000'000);
    observe::Costs unknown;
    unknown.requests = unknown.unpriced = 1;
    unknown.input = unknown.unpriced_tokens = 40;
    unknown.rescued = unknown.elsewhere = unknown.rescued_elsewhere = 1;
    book.add({"chat", "new.model", "us-east-1", "default", ""}, unknown, true, kNow);
    const CostsReply reply = costs_reply(book.days(), "since=2026-11-30&by=model%2Cday", kNow);
    ASSERT_TRUE(reply.good) << reply.text;
    const auto json = nlohmann::json::parse(reply.text);
    ASSERT_EQ(json["rows"].size(), 2U);
    EXPECT_EQ(json["rows"][0]["model"], "some.model");
    EXPECT_EQ(json["rows"][0]["day"], "2026-11-30");
    EXPECT_EQ(json["rows"][0]["cost_usd"], 1.5);
    EXPECT_EQ(json["total"]["requests"], 2);
    ASSERT_EQ(json["unpriced"].size(), 1U);
    EXPECT_EQ(json["unpriced"][0]["tokens"], 40);
    EXPECT_EQ(json["saved"]["calls_saved_by_failover"]["of_those_refusals_avoided"], 1);
    EXPECT_TRUE(costs_reply(book.days(), "since=2026-12-01", kNow).good);
    for (const char* wrong :
         {"since=yesterday", "since=0d", "by=colour", "by=client,,model", "until=1", "since=99999d",
          "by=client,client,client,client,client,"
          "client,client"}) {
        EXPECT_FALSE(costs_reply(book.days(), wrong, kNow).good) << wrong;
    }
}

}  // namespace
}  // namespace weir::gateway
