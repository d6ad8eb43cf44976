// What weir::validate says of prices.
#include "one_mistake.h"

namespace weir {
namespace {

using C = Config;

C priced() {
    C config;
    config.regions = {{"eu-west-1", {}}, {"us-east-1", {}}};
    config.accounts["research"].role_arn = "arn:aws:iam::123456789012:role/weir";
    config.prices.resize(1);
    config.prices[0].models = {"us.anthropic.*"};
    config.prices[0].input = 3;
    return config;
}

PriceConfig& price(C& config) {
    return config.prices[0];
}

TEST(ValidatePrices, EachMistakeIsToldOnce) {
    expect_each(priced(), validate,
                {{[](C& c) { price(c).models.clear(); }, "prices[0].models", "needs `models`"},
                 {[](C& c) { price(c).models = {"a", ""}; }, "prices[0].models[1]", "is empty"},
                 {[](C& c) { price(c).input.reset(); }, "prices[0]", "sets nothing"},
                 {[](C& c) { price(c).input = -1; }, "prices[0].input", "between 0"},
                 {[](C& c) { price(c).account = "reserch"; }, "prices[0].account",
                  "allowed are default, research"},
                 {[](C& c) { price(c).region = "us-east-2"; }, "prices[0].region",
                  "declared are eu-west-1, us-east-1"},
                 {[](C& c) {
                      c.regions.clear();
                      price(c).region = "us-east1";
                  },
                  "prices[0].region", "is no Region"}});
}

TEST(ValidatePrices, WhatIsAllowed) {
    for (const char* region : {"", "us-east-1"}) {
        C config = priced();
        price(config).region = region;
        price(config).account = "default";
        price(config).input = 0;  // given away
        EXPECT_TRUE(validate(config).empty());
    }
    C config = priced();
    config.regions.clear();
    price(config).region = "ap-southeast-12";
    EXPECT_TRUE(validate(config).empty());
}

}  // namespace
}  // namespace weir
