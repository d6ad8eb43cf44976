#include "bedrock/prices.h"
#include "bedrock/service_tier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <tuple>

namespace weir::bedrock {
namespace {

const PriceRow* price(std::string_view model, const Target& at = {}, std::uint64_t input = 1000) {
    return builtin_price(model, at, input);
}

Target in(const std::string& region, Tier tier = Tier::unset,
          Endpoint endpoint = Endpoint::runtime) {
    return {.region = region, .model = {}, .endpoint = endpoint, .tier = tier};
}

TEST(Prices, EveryRowOfTheTableIsReadAndSane) {
    const PriceTable& table = builtin_prices();
    const std::string_view text = prices_csv();
    std::size_t lines = 0;
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
        lines += text[at] != '#' ? 1 : 0;
    }
    EXPECT_EQ(table.rows.size(), lines - 1);  // less the names of the columns
    EXPECT_EQ(table.date.size(), 10U);
    std::set<std::tuple<std::string_view, std::string_view, Endpoint, Tier, std::uint64_t>> keys;
    const auto sane = [](const std::optional<PicoDollars>& rate) {
        // From a cent to 200 dollars for a million tokens, cached ones from a tenth of that.
        return !rate || (*rate >= 1'000 && *rate <= 200'000'000);
    };
    for (const PriceRow& row : table.rows) {
        const std::string name = std::string(row.model) + " " + std::string(row.region) + " " +
                                 std::string(to_string(row.tier));
        EXPECT_TRUE(keys.insert({row.model, row.region, row.endpoint, row.tier, row.above}).second)
            << name;
        EXPECT_TRUE(row.rates.input.has_value()) << name;
        for (const auto& rate : {row.rates.input, row.rates.output, row.rates.cache_read,
                                 row.rates.cache_write, row.rates.cache_write_1h}) {
            EXPECT_TRUE(sane(rate)) << name;
        }
        if (row.rates.output) {
            EXPECT_GE(*row.rates.output, *row.rates.input) << name;
        }
        if (row.rates.cache_read) {
            EXPECT_LT(*row.rates.cache_read, *row.rates.input) << name;
        }
        if (row.rates.cache_write) {
            EXPECT_GE(*row.rates.cache_write, *row.rates.input) << name;
            EXPECT_GT(row.rates.cache_write_1h.value_or(~0ULL), *row.rates.cache_write) << name;
        }
        EXPECT_FALSE(row.source.empty()) << name;
        EXPECT_NE(text.find("#   " + std::string(row.source) + " "), std::string_view::npos)
            << name << ": the source is not explained";
    }
}

TEST(Prices, AProfileOfAGeographyMayCostMoreThanTheGlobalOne) {
    constexpr std::string_view kModel = "anthropic.claude-sonnet-5";
    const PriceRow* global = price("global." + std::string(kModel), in("us-east-1"));
    const PriceRow* us = price("us." + std::string(kModel), in("us-east-1"));
    ASSERT_NE(global, nullptr);
    ASSERT_NE(us, nullptr);
    EXPECT_EQ(global->rates.input, 2'000'000U);
    EXPECT_EQ(us->rates.input, 2'200'000U);
    EXPECT_EQ(us->rates.cache_read, 220'000U);
}

TEST(Prices, WhatNoSourceTellsIsUnknown) {
    EXPECT_EQ(price("anthropic.claude-nobody-9"), nullptr);
    EXPECT_EQ(price(""), nullptr);
    EXPECT_EQ(price("anthropic.claude-sonnet-5", in("us-east-1", Tier::flex)), nullptr);
    EXPECT_EQ(price("openai.gpt-oss-120b-1:0", in("us-east-1", Tier::reserved)), nullptr);
    EXPECT_EQ(price("amazon.nova-canvas-v1:0", in("us-east-1")), nullptr);  // by the image
    const PriceRow* nova = price("amazon.nova-lite-v1:0", in("us-east-1"));
    ASSERT_NE(nova, nullptr);
    EXPECT_FALSE(nova->rates.cache_write.has_value());
}

TEST(Prices, TheRegionsOwnRowCountsAndGovCloudHasNoOther) {
    const PriceRow* elsewhere = price("deepseek.v3.2", in("eu-north-1"));
    ASSERT_NE(elsewhere, nullptr);
    EXPECT_EQ(elsewhere->region, "eu-north-1");
    const PriceRow* any = price("deepseek.v3.2", in("eu-central-1"));
    ASSERT_NE(any, nullptr);
    EXPECT_EQ(any->region, "");
    EXPECT_EQ(price("anthropic.claude-opus-4-6-v1", in("us-gov-west-1")), nullptr);
    const PriceRow* gov = price("us-gov.anthropic.claude-sonnet-5", in("us-gov-west-1"));
    ASSERT_NE(gov, nullptr);
    EXPECT_EQ(gov->rates.input, 2'400'000U);
}

TEST(Prices, TiersAndEndpointsHaveTheirOwn) {
    const PriceRow* flex = price("openai.gpt-oss-120b-1:0", in("us-east-1", Tier::flex));
    const PriceRow* normal = price("openai.gpt-oss-120b-1:0", in("us-east-1", Tier::standard));
    ASSERT_NE(flex, nullptr);
    ASSERT_NE(normal, nullptr);
    EXPECT_EQ(*flex->rates.input * 2, *normal->rates.input);
    EXPECT_EQ(normal, price("openai.gpt-oss-120b-1:0", in("us-east-1")));
    const PriceRow* mantle =
        price("anthropic.claude-opus-5-5", in("us-east-1", Tier::unset, Endpoint::mantle));
    ASSERT_NE(mantle, nullptr);
    EXPECT_EQ(mantle->rates.input, 4'400'000U);
}

TEST(Prices, LongInputsCostMoreWhereASourceSaysSo) {
    constexpr std::string_view kModel = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    EXPECT_EQ(price(kModel, in("us-east-1"), 200'000)->rates.input, 3'300'000U);
    EXPECT_EQ(price(kModel, in("us-east-1"), 200'001)->rates.input, 6'600'000U);
    // Where the price of a long input is told for the default tier alone, another tier's is not
    // known.
    const auto rows = builtin_prices().rows;
    const auto found = std::ranges::find_if(rows, [&](const PriceRow& row) {
        return row.tier == Tier::priority && row.above == 0 && row.region.empty() &&
               std::ranges::any_of(rows,
                                   [&](const PriceRow& other) {
                                       return other.model == row.model &&
                                              other.endpoint == row.endpoint && other.above > 0 &&
                                              other.tier == Tier::standard;
                                   }) &&
               std::ranges::none_of(rows, [&](const PriceRow& other) {
                   return other.model == row.model && other.endpoint == row.endpoint &&
                          other.above > 0 && other.tier == Tier::priority;
               });
    });
    if (found != rows.end()) {
        const Target at = in("us-east-1", Tier::priority, found->endpoint);
        EXPECT_NE(price(found->model, at, 1'000), nullptr);
        EXPECT_EQ(price(found->model, at, 900'000), nullptr);
    }
}

TEST(Prices, AreReadExactly) {
    EXPECT_EQ(parse_price("3"), 3'000'000U);
    EXPECT_EQ(parse_price("0.075"), 75'000U);
    EXPECT_EQ(parse_price("0.00875"), 8'750U);
    EXPECT_EQ(parse_price("0.000001"), 1U);
    for (const char* wrong :
         {"", ".", "1.", ".5", "-1", "1e3", "0.0000001", "1,5", "12345678901"}) {
        EXPECT_FALSE(parse_price(wrong).has_value()) << wrong;
    }
}

TEST(ServiceTier, NamesOfBodiesAndHeaders) {
    EXPECT_EQ(tier_named(""), Tier::standard);
    EXPECT_EQ(tier_named("default"), Tier::standard);
    EXPECT_EQ(tier_named("auto"), Tier::standard);
    EXPECT_EQ(tier_named("flex"), Tier::flex);
    EXPECT_EQ(tier_named("priority"), Tier::priority);
    EXPECT_EQ(tier_named("reserved"), Tier::reserved);
    EXPECT_EQ(tier_named("ultrafast"), std::nullopt);
}

}  // namespace
}  // namespace weir::bedrock
