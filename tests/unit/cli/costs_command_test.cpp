#include "cli/costs_command.h"

#include "cli/costs_prices.h"
#include "gateway/costs_reply.h"
#include "observe/ledger.h"
#include "unit/given.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace weir::cli {
namespace {

using Json = nlohmann::ordered_json;

Json answer(observe::LedgerBook& book, const std::string& by) {
    return Json::parse(gateway::costs_reply(book.days(), "by=" + by, kNow).text);
}

class CostsCommandTest : public testing::Test {
protected:
    void pay(std::string_view client, std::string_view model, std::uint64_t nano,
             std::uint64_t unpriced = 0) {
        observe::Costs costs;
        costs.requests = 1;
        costs.input = 1000;
        costs.cost = nano;
        costs.unpriced_tokens = unpriced;
        costs.unpriced = unpriced > 0 ? 1 : 0;
        book.add({client, model, "us-east-1", "default", ""}, costs, true, kNow);
    }
    observe::LedgerBook book{observe::LedgerLimits{}, {"chat", "=1+1"}, {}};
};

TEST_F(CostsCommandTest, UnknownPricesAreSaidAndCountNothing) {
    pay("chat", "a.model", 1'250'000'000);
    pay("chat", "b.model", 0, 1000);
    const std::string text = costs_text(answer(book, "model"));
    EXPECT_NE(text.find("1.25"), std::string::npos) << text;
    EXPECT_NE(text.find("unknown"), std::string::npos) << text;
    EXPECT_NE(text.find("over 1.25"), std::string::npos) << text;
    EXPECT_NE(text.find("1 call of b.model in us-east-1 (account default) have no price"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("Saved by weir"), std::string::npos) << text;
}

TEST_F(CostsCommandTest, NothingYet) {
    EXPECT_EQ(costs_text(answer(book, "client")), "No calls since 2026-11-24.\n");
}

TEST_F(CostsCommandTest, CsvIsRfc4180AndNoFormula) {
    pay("=1+1", "a.model", 10'500'000);
    const std::string csv = costs_csv(answer(book, "client,model"));
    EXPECT_TRUE(csv.starts_with("client,model,requests,")) << csv;
    EXPECT_NE(csv.find("\r\n'=1+1,a.model,1,"), std::string::npos) << csv;
    EXPECT_TRUE(csv.ends_with(",0.0105\r\n")) << csv;
    EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
    EXPECT_EQ(csv_field("say \"x\""), "\"say \"\"x\"\"\"");
    EXPECT_EQ(csv_field("@cmd"), "'@cmd");
    EXPECT_EQ(csv_field("-1,2"), "\"'-1,2\"");
    EXPECT_EQ(csv_field("a\nb"), "\"a\nb\"");
    EXPECT_EQ(csv_field(""), "");
}

TEST_F(CostsCommandTest, WrongUseIsTold) {
    std::ostringstream out, err;
    CostsOptions options;
    options.since = "soon";
    EXPECT_EQ(run_costs(options, {}, out, err), 2);
    EXPECT_NE(err.str().find("--since: allowed are"), std::string::npos) << err.str();
    options = {};
    options.file = "/nowhere/costs.json";
    EXPECT_EQ(run_costs(options, {}, out, err), 1);
    options.file = "/dev";
    EXPECT_EQ(run_costs(options, {}, out, err), 1);
}

TEST(CostsPrices, ThoseOfTheConfigurationComeFirst) {
    Config config;
    PriceConfig price;
    price.models = {"my.*"};
    price.input = 0.5;
    config.prices = {price};
    const Json prices = prices_json(config);
    EXPECT_EQ(prices["prices"][0]["model"], "my.*");
    EXPECT_EQ(prices["prices"][0]["source"], "prices[0]");
    EXPECT_TRUE(prices["prices"][0]["output"].is_null());
    EXPECT_GT(prices["prices"].size(), 500U);
    const std::string text = prices_text(prices);
    EXPECT_NE(text.find("us.anthropic.claude-sonnet-5 "), std::string::npos);
    EXPECT_TRUE(prices_csv(prices).starts_with("model,region,account,endpoint,tier,above,"));
}

}  // namespace
}  // namespace weir::cli
