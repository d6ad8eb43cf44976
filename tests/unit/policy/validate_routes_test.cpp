// What weir::validate says of routes and quotas.
#include "one_mistake.h"

namespace weir {
namespace {

using C = Config;

constexpr const char* kArn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/a";

C routed() {
    C config;
    config.regions = {{"ap-northeast-1", {}}, {"eu-west-1", {}}, {"us-east-1", {}}};
    config.routes.resize(1);
    config.routes[0].model = "us.anthropic.claude-sonnet-4-v1:0";
    config.routes[0].targets = {in_region("us-east-1"), in_region("eu-west-1")};
    config.quotas.resize(1);
    config.quotas[0].models = {"us.anthropic.claude-sonnet-4-v1:0"};
    config.quotas[0].tokens_per_minute = 1000;
    return config;
}

RouteTarget& first(C& config) {
    return config.routes[0].targets[0];
}
RouteTarget& mantle(C& config) {
    first(config).endpoint = Endpoint::mantle;
    return first(config);
}

TEST(ValidateRoutes, ModelsAndTargets) {
    expect_each(
        routed(), validate,
        {{[](C& c) { c.routes[0].model = ""; }, "routes[0].model", "needs a `model`"},
         {[](C& c) { c.routes.push_back(c.routes[0]); }, "routes[1].model",
          "has a route already, routes[0]"},
         {[](C& c) { c.routes[0].targets.clear(); }, "routes[0].targets", "at least one target"},
         {[](C& c) { first(c).region = ""; }, "routes[0].targets[0].region", "needs a `region`"},
         {[](C& c) { first(c).region = "us-west-9"; }, "routes[0].targets[0].region",
          "declared are ap-northeast-1, eu-west-1, us-east-1"},
         {[](C& c) { c.routes[0].targets[1] = first(c); }, "routes[0].targets[1]",
          "listed already"},
         {[](C& c) { first(c).region = "eu-west-1", first(c).model = kArn; },
          "routes[0].targets[0].model", "names the Region `us-east-1`, the target `eu-west-1`"},
         {[](C& c) { c.routes[0].model = kArn; }, "routes[0].targets[1].region",
          "names the Region `us-east-1`"}});
    expect_good(
        routed(),
        {[](C& c) { first(c).model = kArn; }, [](C& c) { first(c).model = "arn:aws:bedrock"; },
         [](C& c) { first(c).model = "arn:aws:bedrock:us-east-1"; },
         [](C& c) { first(c).tier = Tier::flex, c.routes[0].targets[1] = in_region("us-east-1"); },
         [](C& c) { mantle(c); }});
}

TEST(ValidateRoutes, Residency) {
    const auto within = [](const char* residency, const char* model, const char* region) {
        return [=](C& c) {
            c.routes[0].residency = residency;
            c.routes[0].model = model;
            c.routes[0].targets = {in_region(region)};
        };
    };
    expect_each(
        routed(), validate,
        {{within("mars", "m", "us-east-1"), "routes[0].residency",
          "`mars` is unknown; allowed are any, us, eu"},
         {within("global", "m", "us-east-1"), "routes[0].residency", "is unknown"},
         {within("eu", "m", "us-east-1"), "routes[0].targets[0].region", "outside `residency: eu`"},
         {within("eu", "us.a.m", "eu-west-1"), "routes[0].targets[0]",
          "allowed are models with the prefix eu. or with none"},
         {[&](C& c) {
              within("eu", "eu.a.m", "eu-west-1")(c);
              first(c).model = "global.a.m";
          },
          "routes[0].targets[0].model", "may be served outside"}});
    expect_good(routed(), {within("eu", "eu.a.m", "eu-west-1"), within("us", "a.m", "us-east-1"),
                           within("apac", "jp.a.m", "ap-northeast-1"),
                           within("jp", "a.m", "ap-northeast-1")});
}

TEST(ValidateRoutes, BedrockMantle) {
    expect_each(
        routed(), validate,
        {{[](C& c) { mantle(c), c.regions["us-east-1"].endpoint = "http://localhost:1"; },
          "routes[0].targets[0].endpoint", "set both or neither"},
         {[](C& c) { mantle(c).model = "us.anthropic.claude-opus-5"; },
          "routes[0].targets[0].model", "is a profile, and bedrock-mantle has none"},
         {[](C& c) { mantle(c).model = kArn; }, "routes[0].targets[0].model", "is a profile"},
         {[](C& c) { mantle(c).guardrails = {{"a", "b"}}; }, "routes[0].targets[0].guardrails",
          "no guardrails"},
         {[](C& c) { mantle(c).profiles = {{kArn, kArn}}; },
          "routes[0].targets[0].profiles." + std::string(kArn), "has no profiles"}});
    expect_good(routed(), {[](C& c) {
                               mantle(c);
                               c.regions["us-east-1"].endpoint = "http://localhost:1";
                               c.regions["us-east-1"].mantle_endpoint = "http://localhost:2";
                           },
                           [](C& c) { mantle(c).profiles = {{kArn, "a.m"}}; }});
}

TEST(ValidateRoutes, GuardrailsAndProfilesOfOtherRegions) {
    const std::string at = "routes[0].targets[0]";
    const std::string elsewhere = "arn:aws:bedrock:eu-west-1:1:guardrail/g";
    expect_each(
        routed(), validate,
        {{[](C& c) { first(c).guardrails = {{"a b", "g"}}; }, at + ".guardrails.a b",
          "is no guardrail"},
         {[](C& c) { first(c).guardrails = {{"a", "g g"}}; }, at + ".guardrails.a",
          "is no id and no ARN"},
         {[](C& c) { first(c).guardrails = {{"a", ""}}; }, at + ".guardrails.a",
          "is no id and no ARN"},
         {[](C& c) { first(c).guardrails = {{"a", std::string(2049, 'a')}}; }, at + ".guardrails.a",
          "is no id and no ARN"},
         {[&](C& c) { first(c).guardrails = {{"g", "h"}, {elsewhere, "h"}}; }, at + ".guardrails.g",
          "mapped already"},
         {[&](C& c) { first(c).guardrails = {{"a", elsewhere}}; }, at + ".guardrails.a",
          "names the Region `eu-west-1`"},
         {[](C& c) { first(c).profiles = {{"a", kArn}}; }, at + ".profiles.a", "no profile's ARN"},
         {[](C& c) { first(c).profiles = {{"arn:a b", kArn}}; }, at + ".profiles.arn:a b",
          "no profile's ARN"},
         {[](C& c) { first(c).profiles = {{kArn, kArn}}, first(c).model = "m"; }, at + ".profiles",
          "both say what is asked for"}});
    expect_good(routed(), {[](C& c) { first(c).guardrails = {{"A-z_0.9:/", "g"}}; },
                           [](C& c) { first(c).profiles = {{kArn, kArn}}; }});
}

TEST(ValidateRoutes, ABearerKeyIsGoodInOneRegion) {
    using S = CredentialsSource;
    const auto source = [](S s) { return [s](C& c) { c.credentials.source = s; }; };
    expect_each(routed(), validate,
                {{source(S::bearer), "routes[0].targets", "good in one Region"},
                 {source(S::client_bearer), "routes[0].targets", "the caller's key"}});
    expect_good(routed(), {[&](C& c) {
                               source(S::bearer)(c);
                               c.regions["eu-west-1"].credentials.emplace();
                           },
                           [&](C& c) {
                               source(S::client_bearer)(c);
                               c.routes[0].targets.resize(1);
                           }});
}

TEST(ValidateQuotas, WhatTheyCountAndFor) {
    expect_each(
        routed(), validate,
        {{[](C& c) { c.quotas[0].models.clear(); }, "quotas[0]", "needs `model` or `models`"},
         {[](C& c) { c.quotas[0].models.push_back(""); }, "quotas[0].models[1]", "is empty"},
         {[](C& c) { c.quotas[0].region = "eu-west-9"; }, "quotas[0].region",
          "`eu-west-9` is not declared"},
         {[](C& c) { c.quotas.push_back(c.quotas[0]); }, "quotas[1].models[0]",
          "has a quota in each Region already, quotas[0]"},
         {[](C& c) {
              c.quotas[0].region = "us-east-1";
              c.quotas.push_back(c.quotas[0]);
          },
          "quotas[1].models[0]", "has a quota in us-east-1 already"},
         {[](C& c) { c.quotas[0].tokens_per_minute.reset(); }, "quotas[0]", "sets nothing"},
         {[](C& c) { c.quotas[0].input_tokens_per_minute = 1; },
          "quotas[0].input_tokens_per_minute", "for `endpoint: mantle` or `tier: reserved`"},
         {[](C& c) { c.quotas[0].reserved = true; }, "quotas[0].tokens_per_minute",
          "is not counted there"},
         {[](C& c) {
              c.quotas[0] = of_model("m");
              c.quotas[0].reserved = true;
          },
          "quotas[0]", "allowed are input_tokens_per_minute, output_tokens_per_minute"},
         {[](C& c) {
              c.quotas[0] = of_model("m");
              c.quotas[0].reserved = true;
              c.quotas[0].output_burndown = 5;
          },
          "quotas[0].output_burndown", "is not counted there"},
         {[](C& c) {
              c.quotas[0] = of_model("m");
              c.quotas[0].reserved = true;
              c.quotas[0].reserve_burndown = true;
          },
          "quotas[0].reserve_burndown", "is not counted there"},
         {[](C& c) {
              c.quotas[0] = of_model("us.a.m");
              c.quotas[0].endpoint = Endpoint::mantle;
              c.quotas[0].input_tokens_per_minute = 5;
          },
          "quotas[0].models[0]", "is a profile"}});
    expect_good(routed(), {[](C& c) {
                               c.quotas[0].tokens_per_minute.reset();
                               c.quotas[0].output_burndown = 5;
                           },
                           [](C& c) {
                               c.quotas[0] = of_model("a.m");
                               c.quotas[0].endpoint = Endpoint::mantle;
                               c.quotas[0].output_tokens_per_minute = 5;
                           },
                           [](C& c) {
                               c.quotas.push_back(c.quotas[0]);
                               c.quotas[1].region = "us-east-1";
                           }});
}

}  // namespace
}  // namespace weir
