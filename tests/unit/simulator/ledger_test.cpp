// The books of one Region, and that one seed gives one story.
#include "simulator/ledger.h"

#include "unit/given.h"

#include <gtest/gtest.h>

namespace weir::simulator {
namespace {

using namespace std::chrono_literals;

Settings settings_with(const std::string& model, ModelSettings model_settings) {
    Settings settings;
    settings.models.emplace(model, model_settings);
    return settings;
}

Ask ask(std::uint64_t input) {
    Ask made;
    made.input = input;
    return made;
}

std::vector<std::uint64_t> story(std::uint64_t seed) {
    Ledger ledger("us-east-1", settings_with("m", {}), seed, kStart);
    const std::string model = ledger.find("m").value();
    std::vector<std::uint64_t> outputs;
    for (int i = 0; i < 50; ++i) {
        outputs.push_back(ledger.admit(model, ask(10), 64'000, kStart).generation.use.output);
    }
    return outputs;
}

TEST(Ledger, OneSeedTellsOneStory) {
    EXPECT_EQ(story(42), story(42));
    EXPECT_NE(story(42), story(43));
}

TEST(Ledger, OutputsHaveTheMeanTheyShould) {
    ModelSettings model;
    model.output_mean = 250;
    model.output_spread = 0.8;
    Random random(3);
    double sum = 0;
    constexpr int kDraws = 20'000;
    for (int i = 0; i < kDraws; ++i) {
        sum += static_cast<double>(draw_generation(ask(1), model, 1'000'000, random).use.output);
    }
    EXPECT_NEAR(sum / kDraws, 250, 10);
}

TEST(Ledger, MaxTokensCutsAnAnswer) {
    Random random(3);
    Ask asked = ask(100);
    asked.directives.output = 500;
    asked.directives.cache_read = 30;
    asked.directives.cache_write = 500;
    const Generation cut = draw_generation(asked, {}, 200, random);
    EXPECT_TRUE(cut.cut);
    EXPECT_EQ(cut.use.output, 200U);
    EXPECT_EQ(cut.use.input, 0U);
    EXPECT_EQ(cut.use.cache_read, 30U);
    EXPECT_EQ(cut.use.cache_write, 70U) << "no more than there is input";
    EXPECT_FALSE(draw_generation(asked, {}, 500, random).cut);
}

TEST(Ledger, KnowsConfiguredModelsTheirArnsAndTheStar) {
    Ledger strict("r", settings_with("us.a", {}), 1, kStart);
    EXPECT_EQ(strict.find("us.a"), "us.a");
    EXPECT_EQ(strict.find("arn:aws:bedrock:r:1:inference-profile/us.a"), "us.a");
    EXPECT_FALSE(strict.find("us.b"));
    Ledger open("r", settings_with("*", {}), 1, kStart);
    EXPECT_EQ(open.find("us.b"), "us.b");
    Ledger empty("r", Settings{}, 1, kStart);
    EXPECT_EQ(empty.find("anything"), "anything");
    EXPECT_FALSE(empty.find(""));
}

TEST(Ledger, ModelsBehindTheStarHaveQuotasOfTheirOwn) {
    ModelSettings one_call;
    one_call.requests_per_minute = 1;
    Ledger ledger("r", settings_with("*", one_call), 1, kStart);
    const std::string a = ledger.find("a").value();
    const std::string b = ledger.find("b").value();
    EXPECT_EQ(ledger.admit(a, ask(1), 1, kStart).verdict, Verdict::accepted);
    EXPECT_EQ(ledger.admit(b, ask(1), 1, kStart).verdict, Verdict::accepted);
    EXPECT_EQ(ledger.admit(a, ask(1), 1, kStart).verdict, Verdict::requests);
}

TEST(Ledger, BooksEveryEnding) {
    ModelSettings model;
    model.tokens_per_minute = 1'000;
    Ledger ledger("r", settings_with("m", model), 1, kStart);
    const std::string name = ledger.find("m").value();
    const auto first = ledger.admit(name, ask(100), 400, kStart);
    const auto second = ledger.admit(name, ask(100), 400, kStart);
    EXPECT_EQ(ledger.admit(name, ask(100), 400, kStart).verdict, Verdict::tokens);
    EXPECT_EQ(ledger.truth().at("m").in_flight, 2U);
    const TokenUse used{.input = 100, .output = 50, .cache_read = 0, .cache_write = 0};
    ledger.settle(name, first.ticket, used, kStart + 1s);
    ledger.end(name, used, Ending::delivered);
    ledger.settle(name, second.ticket, used, kStart + 1s);
    ledger.end(name, used, Ending::cancelled);
    EXPECT_EQ(ledger.admit(name, ask(100), 600, kStart + 1s).verdict, Verdict::accepted);
    const Truth truth = ledger.truth().at("m");
    EXPECT_EQ(truth.accepted, 3U);
    EXPECT_EQ(truth.throttled_tokens, 1U);
    EXPECT_EQ(truth.delivered, 1U);
    EXPECT_EQ(truth.cancelled, 1U);
    EXPECT_EQ(truth.delivered_tokens, 150U);
    EXPECT_EQ(truth.output_tokens, 100U);
    EXPECT_EQ(truth.in_flight, 1U);
    EXPECT_EQ(truth.max_in_flight, 2U);
}

TEST(Ledger, MantleLetsInByItsInputQuotaAndCutsShortByItsOutputQuota) {
    ModelSettings model;
    model.tokens_per_minute = 1;  // of the runtime: nothing to mantle
    model.mantle = {.input_tokens_per_minute = 1'000, .output_tokens_per_minute = 150};
    Ledger ledger("r", settings_with("m", model), 1, kStart, Side::mantle);
    EXPECT_EQ(ledger.region(), "r/mantle");
    const std::string name = ledger.find("m").value();
    Ask asked = ask(100);
    asked.directives.output = 100;
    const auto first = ledger.admit(name, asked, 800, kStart);
    EXPECT_EQ(first.verdict, Verdict::accepted);
    EXPECT_FALSE(first.generation.cut);
    EXPECT_EQ(ledger.admit(name, asked, 800, kStart).verdict, Verdict::tokens)
        << "max_tokens counts while it runs";
    ledger.settle(name, first.ticket, first.generation.use, kStart + 1s);
    const auto second = ledger.admit(name, asked, 800, kStart + 1s);
    ASSERT_EQ(second.verdict, Verdict::accepted) << "what it held is back, but for its input";
    EXPECT_TRUE(second.generation.cut);
    EXPECT_EQ(second.generation.use.output, 50U);
    ledger.settle(name, second.ticket, second.generation.use, kStart + 2s);
    EXPECT_EQ(ledger.admit(name, asked, 700, kStart + 2s).generation.use.output, 1U);
    const Truth truth = ledger.truth().at("m");
    EXPECT_EQ(truth.cut_short, 2U);
    EXPECT_EQ(truth.throttled_tokens, 1U);
}

TEST(Ledger, WhatIsReservedIsItsOwnAndTheRestIsServedAsDefault) {
    ModelSettings model;
    model.tokens_per_minute = 1'000;
    model.reserved = {.input_tokens_per_minute = 1'000, .output_tokens_per_minute = {}};
    Ledger ledger("r", settings_with("m", model), 1, kStart);
    const std::string name = ledger.find("m").value();
    Ask asked = ask(100);
    asked.tier = "reserved";
    EXPECT_EQ(ledger.admit(name, asked, 800, kStart).generation.tier, "reserved");
    EXPECT_EQ(ledger.admit(name, asked, 800, kStart).generation.tier, "default");
    EXPECT_EQ(ledger.admit(name, asked, 800, kStart).verdict, Verdict::tokens);
    const Truth truth = ledger.truth().at("m");
    EXPECT_EQ(truth.overflowed, 1U);
    EXPECT_EQ(truth.tiers.at("reserved"), 2U);
}

TEST(Ledger, CountsTheTiersAndGuardrailsThatWereNamed) {
    Ledger ledger("r", settings_with("m", {}), 1, kStart);
    const std::string name = ledger.find("m").value();
    for (int i = 0; i < 300; ++i) {
        Ask asked = ask(1);
        asked.tier = "flex";
        asked.guardrail = "gr-" + std::to_string(i);
        ledger.admit(name, asked, 1, kStart);
    }
    const Truth truth = ledger.truth().at("m");
    EXPECT_EQ(truth.tiers.at("flex"), 300U);
    EXPECT_EQ(truth.guardrails.size(), 100U) << "callers choose their names";
}

}  // namespace
}  // namespace weir::simulator
