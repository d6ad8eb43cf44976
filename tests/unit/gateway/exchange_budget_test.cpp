// Calls of clients with a budget, on every path: what they hold, what refuses them, what they cost.
#include "gateway/clock.h"
#include "requests.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using namespace test;
using net::NetError;

constexpr double kInput = 1000, kOutput = 10'000;  // dollars a million tokens

Config with_budget(double usd, BudgetEnd then = BudgetEnd::refuse) {
    Config config = two_regions();
    config.prices.resize(1);
    config.prices[0].models = {"*"};
    config.prices[0].input = kInput;
    config.prices[0].output = kOutput;
    config.clients.resize(2);
    config.clients[0].name = "etl";
    config.clients[0].budget.emplace();
    config.clients[0].budget->per_day = usd;
    config.clients[0].budget->then = then;
    config.clients[1].name = "chat";
    return config;
}

/// A World whose clients have spent what a test says.
class BudgetWorld {
public:
    explicit BudgetWorld(Config config) : world(std::move(config)) {
        budgets.configure(world.snapshot->config.clients, 0);
        world.shared.budgets = &budgets;
    }
    ScriptedClient& ask(std::string_view target, std::string_view body,
                        std::string_view client = "etl") {
        const std::string field = "x-weir-client: " + std::string(client) + "\r\n";
        clients.push_back(std::make_unique<ScriptedClient>(world.loop, post(target, body, field)));
        ended = world.serve(*clients.back());
        return *clients.back();
    }
    ScriptedClient& converse(std::string_view client = "etl", int max_tokens = 100,
                             std::string_view operation = "converse") {
        return ask("/model/" + std::string(kModel) + "/" + std::string(operation),
                   R"({"messages":[{"role":"user","content":[{"text":"hi"}]}],)"
                   R"("inferenceConfig":{"maxTokens":)" +
                       std::to_string(max_tokens) + "}}",
                   client);
    }
    policy::BudgetStanding day() { return budgets.status(unix_ms() / 1000).at(0).day.value(); }

    World world;
    double spent = 0;
    ClientBudgets budgets{
        [this](std::string_view client, std::int64_t) {
            return client == "etl" ? policy::Spending{spent, spent} : policy::Spending();
        },
        [this](LogLevel, std::string_view line) { log.append(line).append("\n"); }};
    std::string log;
    std::vector<std::unique_ptr<ScriptedClient>> clients;
    bool ended = false;
};

TEST(ExchangeBudget, ASpentOneRefusesItsClientAndNobodyElse) {
    BudgetWorld my(with_budget(10));
    my.spent = 12.5;
    const auto& refused = my.converse();
    EXPECT_EQ(refused.status, 400);
    EXPECT_NE(refused.fields.find("x-amzn-ErrorType: ServiceQuotaExceededException\r\n"),
              std::string::npos);
    EXPECT_NE(refused.fields.find("x-weir-budget: spent\r\n"), std::string::npos);
    EXPECT_NE(refused.fields.find("x-should-retry: false\r\n"), std::string::npos);
    EXPECT_NE(refused.body.find("weir: the budget of this client is spent: $12.50 of $10.00 for "
                                "the day. It renews at "),
              std::string::npos)
        << refused.body;
    EXPECT_TRUE(my.world.seen.empty());
    const auto metrics = my.world.metrics.text({});
    EXPECT_NE(
        metrics.find("weir_refusals_total{client=\"other\",model=\"other\",reason=\"budget\"}"),
        std::string::npos)
        << metrics;
    my.world.scripts["us-east-1"] = {whole(kAnswer)};
    const auto& other = my.converse("chat");
    EXPECT_EQ(other.status, 200);
    EXPECT_EQ(other.fields.find("x-weir-budget"), std::string::npos);
    EXPECT_TRUE(my.world.nothing_held());
}

TEST(ExchangeBudget, EveryPathThatCostsMoneyIsRefusedInItsOwnShape) {
    BudgetWorld my(with_budget(10));
    my.spent = 10;
    const std::string invoke = R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":9,)"
                               R"("messages":[{"role":"user","content":"hi"}]})";
    const std::string chat = R"({"model":"m.x","max_tokens":9,"messages":[]})";
    const std::string model = "/model/" + std::string(kModel);
    struct Row {
        std::string target, body;
        int status;
        std::string_view says;
    };
    for (const Row& row : {
             Row{model + "/converse-stream", R"({"messages":[]})", 400, "the budget of this"},
             Row{model + "/invoke", invoke, 400, "the budget of this"},
             Row{model + "/invoke-with-response-stream", invoke, 400, "the budget of this"},
             Row{"/v1/chat/completions", chat, 429, R"("code":"insufficient_quota")"},
             Row{"/openai/v1/responses", R"({"model":"m.x","input":"x","stream":true})", 429,
                 R"("code":"insufficient_quota")"},
             Row{"/anthropic/v1/messages", chat, 429, R"("type":"rate_limit_error")"},
             Row{"/async-invoke", R"({"modelId":"m.x"})", 400, "the budget of this"},
             Row{"/guardrail/g/version/1/apply", "{}", 400, "the budget of this"},
         }) {
        const auto& client = my.ask(row.target, row.body);
        EXPECT_EQ(client.status, row.status) << row.target;
        EXPECT_NE(client.body.find(row.says), std::string::npos) << row.target << client.body;
    }
    EXPECT_TRUE(my.world.seen.empty());
    my.world.scripts["us-east-1"] = {whole(R"({"inputTokens":3})")};
    EXPECT_EQ(my.ask(model + "/count-tokens", R"({"input":{}})").status, 200) << "it is free";
    EXPECT_DOUBLE_EQ(my.day().under_way, 0);
}

TEST(ExchangeBudget, AWarningIsTold) {
    BudgetWorld my(with_budget(10));
    my.spent = 8;
    my.world.scripts["us-east-1"] = {whole(kAnswer)};
    const auto& client = my.converse();
    EXPECT_EQ(client.status, 200);
    EXPECT_NE(client.fields.find("x-weir-budget: warned\r\n"), std::string::npos);
}

TEST(ExchangeBudget, CallsUnderWayHoldWhatTheyMayCost) {
    BudgetWorld my(with_budget(2));
    Script silent;
    silent.instead_of_head = hang();
    my.world.scripts["us-east-1"] = {silent, whole(kAnswer)};
    auto& first = my.converse();  // 100 tokens of output at most, a cent each
    EXPECT_FALSE(my.ended);
    EXPECT_GT(my.day().under_way, 1);
    EXPECT_LT(my.day().under_way, 1.1);
    my.spent = 1;
    const auto& second = my.converse();
    EXPECT_EQ(second.status, 429);
    EXPECT_NE(second.fields.find("x-amzn-ErrorType: ThrottlingException\r\n"), std::string::npos);
    EXPECT_NE(second.fields.find("Retry-After: 2\r\n"), std::string::npos);
    EXPECT_NE(second.body.find("$1.00 of $2.00 for the day is spent"), std::string::npos)
        << second.body;
    first.leave();
    my.world.go_on();
    EXPECT_DOUBLE_EQ(my.day().under_way, 0);
    EXPECT_GT(my.day().spent, 2) << "it was sent, and may be paid";
}

TEST(ExchangeBudget, WhatIsExpectedFollowsTheAnswers) {
    BudgetWorld my(with_budget(100));
    my.world.scripts["us-east-1"] = {whole(kAnswer)};
    my.converse("etl", 5000);
    EXPECT_EQ(my.budgets.hold_of("etl").expected_output(kModel, 5000), 4U);
    EXPECT_DOUBLE_EQ(my.day().under_way, 0);
    EXPECT_DOUBLE_EQ(my.day().spent, 0) << "the ledger's, which this world has not";
}

TEST(ExchangeBudget, ACallThatFailedCostsNothing) {
    BudgetWorld my(with_budget(100));
    my.world.scripts["us-east-1"] = {whole(R"({"message":"no"})", "400 Bad Request")};
    EXPECT_EQ(my.converse().status, 400);
    EXPECT_DOUBLE_EQ(my.day().spent, 0);
    EXPECT_DOUBLE_EQ(my.day().under_way, 0);
}

TEST(ExchangeBudget, AnAnswerWithoutUsageCostsWhatWasExpected) {
    BudgetWorld my(with_budget(100));
    my.world.scripts["us-east-1"] = {
        whole(R"({"output":{"message":{"role":"assistant","content":[]}}})")};
    EXPECT_EQ(my.converse().status, 200);
    EXPECT_GT(my.day().spent, 1);
    EXPECT_DOUBLE_EQ(my.day().under_way, 0);
}

TEST(ExchangeBudget, AnAttemptThatNobodyWaitedForCostsWhatWasExpected) {
    Script hangs;  // after the head
    hangs.body = {hang()};
    Script late;
    late.instead_of_head = error(NetError::timeout);
    Script cut;
    cut.instead_of_head = error(NetError::closed);
    Script unreachable;
    unreachable.connect = NetError::connect;
    struct Row {
        std::string_view name;
        Script script;
        bool paid;
    };
    for (const Row& row :
         {Row{"left after the head", hangs, true}, Row{"no answer", late, true},
          Row{"cut before the head", cut, true}, Row{"not reached", unreachable, false}}) {
        for (const std::string_view operation : {"converse", "converse-stream"}) {
            Config config = with_budget(100);
            config.retry.max_attempts = 1;
            BudgetWorld my(config);
            my.world.scripts["us-east-1"] = {row.script};
            auto& client = my.converse("etl", 100, operation);
            if (!my.ended) {
                client.leave();
                my.world.go_on();
            }
            EXPECT_EQ(my.day().spent > 1, row.paid) << row.name << ", " << operation;
            EXPECT_DOUBLE_EQ(my.day().under_way, 0);
        }
    }
}

TEST(ExchangeBudget, ADamagedStreamCostsWhatWasExpected) {
    Config config = with_budget(100);
    config.retry.max_attempts = 1;
    BudgetWorld my(config);
    Script damaged;
    damaged.head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n";
    damaged.body = {bytes(std::string(64, 'x')), end_of_body()};
    my.world.scripts["us-east-1"] = {damaged};
    my.converse("etl", 100, "converse-stream");
    EXPECT_GT(my.day().spent, 1) << "status 200: the service may charge for it";
    EXPECT_DOUBLE_EQ(my.day().under_way, 0);
}

TEST(ExchangeBudget, AnAttemptBeforeTheAnswerCostsAsWell) {
    Config config = with_budget(100);
    config.retry.repeat_timeouts = true;
    config.routes.resize(1);
    config.routes[0].model = std::string(kModel);
    config.routes[0].targets.resize(2);
    config.routes[0].targets[0].region = "us-east-1";
    config.routes[0].targets[1].region = "us-west-2";
    BudgetWorld my(config);
    Script late;
    late.instead_of_head = error(NetError::timeout);
    my.world.scripts["us-east-1"] = {late};
    my.world.scripts["us-west-2"] = {whole(kAnswer)};
    EXPECT_EQ(my.converse().status, 200);
    EXPECT_GT(my.day().spent, 1) << "the ledger, which this world has not, knows the other alone";
    EXPECT_LT(my.day().spent, 1.2);
}

/// A route from a cheap target to a dear one, of which each takes one call at a time.
Config cheap_and_dear() {
    Config config = with_budget(100);
    config.prices.resize(2);
    config.prices[0].models = {"dear.*"};
    config.prices[1].models = {"cheap.*"};
    config.prices[1].input = config.prices[1].output = 1;
    config.prices[1].region = "us-west-2";
    config.routes.resize(1);
    config.routes[0].model = "smart";
    config.routes[0].targets.resize(2);
    config.routes[0].targets[0] = {.region = "us-west-2", .model = "cheap.model-v1:0"};
    config.routes[0].targets[1] = {.region = "us-east-1", .model = "dear.model-v1:0"};
    config.quotas = {quota_of("cheap.model-v1:0", "us-west-2"),
                     quota_of("dear.model-v1:0", "us-east-1")};
    for (QuotaConfig& quota : config.quotas) {
        quota.requests_per_minute = 1000;
        quota.max_in_flight = 1;
    }
    return config;
}

ScriptedClient& ask_smart(BudgetWorld& my, std::string_view client) {
    return my.ask("/model/smart/converse", R"({"messages":[],"inferenceConfig":{"maxTokens":100}})",
                  client);
}

TEST(ExchangeBudget, ACallHoldsTheDearestOfTheTargetsThatItMayGoTo) {
    BudgetWorld my(cheap_and_dear());
    Script silent;
    silent.instead_of_head = hang();
    my.world.scripts["us-west-2"] = {silent};
    my.world.scripts["us-east-1"] = {silent};
    std::vector<ScriptedClient*> calls{&ask_smart(my, "chat"), &ask_smart(my, "chat"),
                                       &ask_smart(my, "etl")};
    EXPECT_FALSE(my.ended);
    EXPECT_GT(my.day().under_way, 1) << "it waits, and may go to either";
    for (ScriptedClient* client : calls) {
        client->leave();
    }
    my.world.go_on();
    EXPECT_DOUBLE_EQ(my.day().under_way, 0);
    EXPECT_DOUBLE_EQ(my.day().spent, 0) << "it was not sent";
}

TEST(ExchangeBudget, ACallThatWaitsAgainHoldsItAgain) {
    Config config = cheap_and_dear();
    config.quotas[0].max_in_flight.reset();
    BudgetWorld my(config);
    Script silent;
    silent.instead_of_head = hang();
    const Script down = whole(R"({"message":"down"})", "503 Service Unavailable",
                              "x-amzn-ErrorType: ServiceUnavailableException\r\n");
    my.world.scripts["us-west-2"] = {down, down};
    my.world.scripts["us-east-1"] = {silent};
    auto& holding = ask_smart(my, "chat");
    EXPECT_FALSE(my.ended);
    auto& waiting = ask_smart(my, "etl");
    EXPECT_FALSE(my.ended);
    EXPECT_GT(my.day().under_way, 1) << "for the dear target";
    holding.leave();
    waiting.leave();
    my.world.go_on();
    EXPECT_DOUBLE_EQ(my.day().under_way, 0);
}

TEST(ExchangeBudget, LoweredCallsWaitBehindTheOthers) {
    Config config = with_budget(10, BudgetEnd::lower);
    config.quotas = {quota_of(kModel, "us-east-1")};
    config.quotas[0].requests_per_minute = 1000;
    config.quotas[0].max_in_flight = 1;
    BudgetWorld my(config);
    my.spent = 10;
    Script silent;
    silent.instead_of_head = hang();
    my.world.scripts["us-east-1"] = {silent, whole(kAnswer), whole(kAnswer)};
    auto& first = my.converse("chat");
    auto& lowered = my.converse("etl");
    EXPECT_FALSE(my.ended);
    const auto waiting = my.world.gate->status().waiting;
    ASSERT_EQ(waiting.size(), 1U);
    EXPECT_EQ(waiting[0].priority, Priority::batch);
    first.leave();
    my.world.go_on();
    EXPECT_EQ(lowered.status, 200);
    EXPECT_NE(lowered.fields.find("x-weir-budget: spent\r\n"), std::string::npos);
}

TEST(ExchangeBudget, ModeObserveRefusesNobody) {
    Config config = with_budget(10);
    config.mode = Mode::observe;
    BudgetWorld my(config);
    my.spent = 99;
    my.world.scripts["us-east-1"] = {whole(kAnswer)};
    EXPECT_EQ(my.converse().status, 200);
}

TEST(ExchangeBudget, AModelWithoutAPriceCountsNothingAndIsTold) {
    Config config = with_budget(10);
    config.prices[0].models = {"another.*"};
    BudgetWorld my(config);
    my.world.scripts["us-east-1"] = {
        whole(R"({"usage":{"inputTokens":9,"outputTokens":4,"totalTokens":13}})"),
        whole(R"({"usage":{"inputTokens":9,"outputTokens":4,"totalTokens":13}})")};
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(my.ask("/model/unheard.of-v1:0/converse", R"({"messages":[]})").status, 200);
    }
    EXPECT_EQ(my.log,
              "budget: client etl uses unheard.of-v1:0, which has no price, so that its calls "
              "count nothing: add it to `prices`\n");
}

TEST(ExchangeBudget, AReloadThatTakesTheBudgetAwayLeavesCallsUnderWayAlone) {
    BudgetWorld my(with_budget(10));
    Script silent;
    silent.instead_of_head = hang([&my] { my.budgets.configure({}, 0); });
    my.world.scripts["us-east-1"] = {silent};
    auto& client = my.converse();
    client.leave();
    my.world.go_on();
    EXPECT_TRUE(my.budgets.status(0).empty());
}

}  // namespace
}  // namespace weir::gateway
