// max_tokens: caps, right-sizing, and what follows when it was too little.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include "unit/given.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

class OutputTest : public ::testing::Test {
protected:
    OutputTest() {
        config.regions = {{"us-east-1", {}}};
        config.default_region = "us-east-1";
        config.models.add("anthropic.claude", {Family::anthropic, 5, 64'000, 200'000, true});
        RouteConfig route;
        route.model = kSonnet;
        route.targets = {{"us-east-1", "", 0}};
        config.routes.push_back(route);
        ClientConfig small;
        small.name = "small";
        small.max_output = 300;
        config.clients.push_back(small);
    }
    Engine& engine() {
        if (!engine_) {
            engine_.emplace(config, 1, now);
        }
        return *engine_;
    }
    Call call(std::optional<std::uint64_t> max_output) {
        Call c;
        c.id = CallId{0, 0, ++generation};
        c.client = "c";
        c.model = kSonnet;
        c.home_region = "us-east-1";
        c.max_output = max_output;
        c.arrival = now;
        return c;
    }
    Grant go(const Call& c) {
        const Decision d = engine().offer(c, now);
        const auto* grant = std::get_if<Grant>(&d);
        return grant == nullptr ? Grant{} : *grant;
    }
    void answer(const Call& c, std::uint64_t output) {
        engine().sent(c.id, now);
        engine().settle(c.id, Usage{10, output, 0, 0, true}, now);
    }
    void learn(int answers, std::uint64_t output, OutputKind kind = OutputKind::plain) {
        for (int i = 0; i < answers; ++i) {
            Call c = call(64'000);
            c.output_kind = kind;
            go(c);
            answer(c, output);
        }
    }

    Config config;
    Instant now = Instant{} + 1000s;
    std::uint64_t generation = 0;
    std::optional<Engine> engine_;
};

TEST_F(OutputTest, TheCallersOwnNumberGoesUnchangedByDefault) {
    learn(500, 100);
    const Grant g = go(call(64'000));
    EXPECT_FALSE(g.max_output);
    EXPECT_FALSE(g.right_sized);
    EXPECT_EQ(engine().status(now).targets[0].enough_max_tokens / 10, 15U);  // advice all the same
}

TEST_F(OutputTest, ARoutesAndAClientsCapHold) {
    config.routes[0].max_output = 1000;
    EXPECT_EQ(go(call(64'000)).max_output, 1000U);
    EXPECT_EQ(go(call(std::nullopt)).max_output, 1000U);
    EXPECT_FALSE(go(call(500)).max_output);
    Call small = call(900);
    small.client = "small";
    const Grant g = go(small);
    EXPECT_EQ(g.max_output, 300U);
    EXPECT_FALSE(g.right_sized);
    EXPECT_EQ(g.reservation, 300U);
}

TEST_F(OutputTest, ABodyThatCannotCarryANumberIsNotCapped) {
    config.routes[0].model = "mystery";
    config.routes[0].max_output = 1000;
    Call unknown = call(std::nullopt);
    unknown.model = "mystery";
    unknown.converse = false;
    EXPECT_FALSE(go(unknown).max_output);
    Call converse = call(std::nullopt);
    converse.model = "mystery";
    EXPECT_EQ(go(converse).max_output, 1000U);
}

TEST_F(OutputTest, RightSizesOnceEnoughAnswersAreKnown) {
    config.routes[0].right_size = true;
    learn(199, 100);
    EXPECT_FALSE(go(call(64'000)).max_output);
    learn(1, 100);
    const Grant g = go(call(64'000));
    ASSERT_TRUE(g.max_output);
    EXPECT_TRUE(g.right_sized);
    EXPECT_GE(*g.max_output, 150U);
    EXPECT_LE(*g.max_output, 160U);
    EXPECT_EQ(g.reservation, *g.max_output);
    EXPECT_FALSE(go(call(120)).max_output);  // never more than the caller's
}

TEST_F(OutputTest, KindsOfAnswersAreLearnedApartAndThinkingKeepsItsBudget) {
    config.routes[0].right_size = true;
    learn(300, 100);
    Call tools = call(64'000);
    tools.output_kind = OutputKind::structured;
    EXPECT_FALSE(go(tools).max_output);
    learn(300, 3000, OutputKind::thinking);
    Call thinking = call(64'000);
    thinking.output_kind = OutputKind::thinking;
    thinking.thinking_budget = 20'000;
    EXPECT_EQ(go(thinking).max_output, 21'024U);
}

TEST_F(OutputTest, AnAnswerCutShortIsAskedForAgainWithTheCallersNumber) {
    config.routes[0].right_size = true;
    learn(300, 100);
    const std::uint64_t before = *go(call(64'000)).max_output;
    const Call c = call(64'000);
    const Grant g = go(c);
    engine().sent(c.id, now);
    Failure cut;
    cut.cls = FailureClass::truncated;
    cut.stage = Stage::sent;
    cut.status = 200;
    cut.seen = Usage{10, *g.max_output, 0, 0, true};
    const Decision d = engine().report(c.id, cut, now);
    const auto* again = std::get_if<Grant>(&d);
    ASSERT_NE(again, nullptr);
    EXPECT_FALSE(again->max_output);
    EXPECT_EQ(again->attempt, 2U);
    EXPECT_EQ(again->reservation, 64'000U);
    answer(c, 5000);
    const TargetStatus target = engine().status(now).targets[0];
    EXPECT_EQ(target.truncated, 1U);
    EXPECT_EQ(target.breaker, BreakerState::closed);
    // Both are paid for; and more is thought to be needed now.
    learn(16, 100);
    EXPECT_GT(*go(call(64'000)).max_output, before);
}

TEST_F(OutputTest, ATruncatedAnswerPastItsTimeIsFinal) {
    config.routes[0].right_size = true;
    learn(300, 100);
    const Call c = call(64'000);
    const Grant g = go(c);
    engine().sent(c.id, now);
    now += 2min;
    Failure cut;
    cut.cls = FailureClass::truncated;
    cut.stage = Stage::sent;
    cut.seen = Usage{10, *g.max_output, 0, 0, true};
    const Decision d = engine().report(c.id, cut, now);
    ASSERT_TRUE(std::holds_alternative<Refusal>(d));
    EXPECT_EQ(engine().status(now).in_flight, 1U - 1U);
}

}  // namespace
}  // namespace weir
