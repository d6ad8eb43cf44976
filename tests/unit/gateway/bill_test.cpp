#include "gateway/bill.h"

#include <gtest/gtest.h>

#include <limits>

namespace weir::gateway {
namespace {

const Target kAt{.region = "us-east-1", .model = "us.anthropic.claude-sonnet-5"};

Usage usage(std::uint64_t input, std::uint64_t output, std::uint64_t read = 0,
            std::uint64_t write = 0) {
    return {
        .input = input, .output = output, .cache_read = read, .cache_write = write, .known = true};
}

PriceConfig priced(std::string model, double input) {
    PriceConfig price;
    price.models = {std::move(model)};
    price.input = input;
    return price;
}

TEST(BillTest, TheBuiltInListPricesACall) {
    const Config config;
    const Price price = price_of(config, kAt, Tier::standard, 1000);
    EXPECT_FALSE(price.source.empty());
    EXPECT_EQ(price.rates.input, 2'200'000U);
    // 1000 * 2.2 + 200 * 11 + 5000 * 0.22 + 100 * 2.75 dollars for a million
    const Bill bill = bill_of(config, kAt, Tier::standard, usage(1000, 200, 5000, 100));
    EXPECT_EQ(bill, (Bill{.cost = 5'775'000, .unpriced_tokens = 0}));
}

TEST(BillTest, WhatTheCacheKeepsForAnHourHasAPriceOfItsOwn) {
    Usage used = usage(0, 0, 0, 100);
    used.cache_write_1h = 40;
    EXPECT_EQ(bill_of({}, kAt, Tier::standard, used).cost, 60 * 2'750U + 40 * 4'400U);
    used.cache_write_1h = 1000;  // more than were written: no upstream says so
    EXPECT_EQ(bill_of({}, kAt, Tier::standard, used).cost, 100 * 4'400U);

    Config config;
    config.prices = {priced("*", 1)};
    config.prices[0].cache_write = 2;
    used.cache_write_1h = 40;
    EXPECT_EQ(bill_of(config, kAt, Tier::standard, used),
              (Bill{.cost = 60 * 2'000, .unpriced_tokens = 40}));
    config.prices[0].cache_write_1h = 3;
    EXPECT_EQ(bill_of(config, kAt, Tier::standard, used),
              (Bill{.cost = 60 * 2'000 + 40 * 3'000, .unpriced_tokens = 0}));
}

TEST(BillTest, TheFirstPriceOfTheConfigurationThatFitsCountsAlone) {
    Config config;
    config.prices = {priced("us.anthropic.*", 1), priced("us.*", 5)};
    const Price price = price_of(config, kAt, Tier::standard, 1000);
    EXPECT_EQ(price.source, "prices[0]");
    EXPECT_EQ(price.rates.input, 1'000'000U);
    EXPECT_FALSE(price.rates.output.has_value());  // what it does not set is unknown
    const Bill bill = bill_of(config, kAt, Tier::standard, usage(1000, 200));
    EXPECT_EQ(bill, (Bill{.cost = 1'000'000, .unpriced_tokens = 200}));
}

TEST(BillTest, APriceHoldsWhereItSays) {
    Config config;
    PriceConfig price = priced("*", 7);
    price.region = "eu-west-1";
    price.account = "team";
    price.tier = Tier::flex;
    config.prices = {price};
    Target at{.region = "eu-west-1", .model = "nobody.knows", .account = "team"};
    EXPECT_EQ(price_of(config, at, Tier::flex, 1).source, "prices[0]");
    EXPECT_EQ(price_of(config, at, Tier::standard, 1).source, "");
    at.tier = Tier::flex;  // of the target, which outdoes the call's
    EXPECT_EQ(price_of(config, at, Tier::standard, 1).source, "prices[0]");
    at.account = "";
    EXPECT_EQ(price_of(config, at, Tier::flex, 1).source, "");
    config.prices[0].account = "default";
    EXPECT_EQ(price_of(config, at, Tier::flex, 1).source, "prices[0]");
    at.region = "eu-west-2";
    EXPECT_EQ(price_of(config, at, Tier::flex, 1).source, "");
}

TEST(BillTest, ABudgetCountsATierWithoutAPriceAsTheStandardOne) {
    Config config;
    config.prices = {priced("*", 7)};
    config.prices[0].output = 9;
    config.prices[0].tier = Tier::standard;
    const Usage used = usage(1000, 200);
    const Bill standard = bill_of(config, kAt, Tier::standard, used);
    for (const std::optional<Tier> tier :
         {std::optional(Tier::reserved), std::optional<Tier>(), std::optional(Tier::unset)}) {
        EXPECT_EQ(presumed_bill(config, kAt, tier, used), standard);
    }
    config.prices.insert(config.prices.begin(), priced("*", 1));
    config.prices[0].tier = Tier::flex;
    EXPECT_EQ(presumed_bill(config, kAt, Tier::flex, used), standard) << "output has no price";
    config.prices[0].output = 1;
    EXPECT_EQ(presumed_bill(config, kAt, Tier::flex, used), bill_of(config, kAt, Tier::flex, used));
}

TEST(BillTest, TheTierThatServedTheCallIsTheOnePaidFor) {
    Config config;
    config.prices = {priced("*", 1), priced("*", 7)};
    config.prices[0].tier = Tier::flex;
    config.prices[1].tier = Tier::standard;
    Usage used = usage(1000, 0);
    Target reserved = kAt;
    reserved.tier = Tier::reserved;
    EXPECT_EQ(bill_of(config, reserved, Tier::flex, used).unpriced_tokens, 1000U);
    used.tier = Tier::standard;  // beyond the reservation
    EXPECT_EQ(bill_of(config, reserved, Tier::flex, used).cost, 7'000'000U);
    EXPECT_EQ(bill_of(config, kAt, Tier::flex, used).cost, 7'000'000U);
    used.tier = Tier::priority;
    EXPECT_EQ(bill_of(config, kAt, Tier::flex, used).unpriced_tokens, 1000U);
    EXPECT_EQ(presumed_bill(config, kAt, Tier::flex, used).cost, 7'000'000U);
}

TEST(BillTest, AProfilesArnIsPricedByItsAliasOrItself) {
    constexpr std::string_view kArn =
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
    Config config;
    Target at{.region = "us-east-1", .model = std::string(kArn)};
    EXPECT_EQ(price_of(config, at, Tier::standard, 1).source, "");
    config.aliases[std::string(kArn)] = "us.anthropic.claude-sonnet-5";
    EXPECT_EQ(price_of(config, at, Tier::standard, 1).rates.input, 2'200'000U);
    config.prices = {priced("arn:*/abc", 3)};
    EXPECT_EQ(price_of(config, at, Tier::standard, 1).rates.input, 3'000'000U);
}

TEST(BillTest, ATierThatNobodyKnowsHasNoPrice) {
    const Bill bill = bill_of(Config(), kAt, std::nullopt, usage(10, 5));
    EXPECT_EQ(bill, (Bill{.cost = 0, .unpriced_tokens = 15}));
}

TEST(BillTest, IsRoundedOnceAndNeverWrapsAround) {
    bedrock::Rates rates;
    rates.input = 250;  // 0.25 of a billionth
    rates.output = 250;
    EXPECT_EQ(bill_of(rates, usage(1, 1)).cost, 1U);  // half a billionth is one
    EXPECT_EQ(bill_of(rates, usage(1, 0)).cost, 0U);
    EXPECT_EQ(bill_of(rates, usage(4000, 4001)).cost, 2000U);
    rates.input = 1'000'000'000'000;
    constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
    EXPECT_EQ(bill_of(rates, usage(kMost, kMost)).cost, kMost);
    EXPECT_EQ(bill_of(bedrock::Rates(), usage(kMost, 5)).unpriced_tokens, kMost);
}

}  // namespace
}  // namespace weir::gateway
