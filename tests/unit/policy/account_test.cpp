// Targets in several AWS accounts: whose quota a call takes, and what may leave its account.
#include <gtest/gtest.h>
#include <weir/engine.h>

#include "policy/eligibility.h"
#include "policy/tariff.h"
#include "unit/given.h"

#include <algorithm>

namespace weir {
namespace {

using namespace std::chrono_literals;

QuotaConfig quota(std::uint64_t requests, const std::string& account = "",
                  const std::string& region = "") {
    QuotaConfig q;
    q.models = {kOpus};
    q.account = account;
    q.region = region;
    q.requests_per_minute = requests;
    return q;
}

struct AccountTest : ::testing::Test {
    AccountTest() {
        config.models = ModelTable();
        config.regions["us-east-1"];
        config.regions["us-west-2"];
        config.default_region = "us-east-1";
        config.accounts["prod"].role_arn = "arn:aws:iam::222222222222:role/weir";
        config.routes.push_back({});
        config.routes[0].model = kOpus;
        add("us-east-1", "");
        add("us-east-1", "prod");
    }
    RouteTarget& add(const std::string& region, const std::string& account) {
        RouteTarget target;
        target.region = region;
        target.account = account;
        return config.routes[0].targets.emplace_back(std::move(target));
    }
    std::uint64_t limit(const std::string& account, const std::string& region) const {
        Target target{region, kOpus};
        target.account = account;
        const auto tariff = policy::tariff_of(config, target);
        return tariff.quota == nullptr ? 0 : *tariff.quota->requests_per_minute;
    }
    policy::Candidates of(policy::PathKey key) const {
        key.model = kOpus;
        key.home_region = "us-east-1";
        return policy::candidates(config, key);
    }
    std::vector<std::string> problems() const {
        std::vector<std::string> out;
        for (const Problem& problem : validate(config)) {
            out.push_back(problem.path + ": " + problem.message);
        }
        return out;
    }
    Config config;
};

TEST_F(AccountTest, TheNearestQuotaCounts) {
    config.quotas = {quota(1), quota(2, "", "us-west-2"), quota(3, "prod"),
                     quota(4, "prod", "us-west-2"), quota(5, "default", "us-west-2")};
    EXPECT_EQ(limit("", "us-east-1"), 1U);
    EXPECT_EQ(limit("", "us-west-2"), 5U);
    EXPECT_EQ(limit("prod", "us-east-1"), 3U);
    EXPECT_EQ(limit("prod", "us-west-2"), 4U);
    EXPECT_EQ(limit("other", "us-west-2"), 2U);
    EXPECT_TRUE(problems().empty()) << problems().front();
}

TEST_F(AccountTest, APoolOfOneAccountIsNotAnothers) {
    config.quotas = {quota(1)};
    config.routes[0].spill_after = Duration::zero();
    Engine engine(config, 1, kStart);
    std::vector<std::string> went;
    for (std::uint32_t i = 0; i < 2; ++i) {
        Call call{};
        call.id = CallId{0, i, 1};
        call.model = kOpus;
        call.home_region = "us-east-1";
        call.arrival = kStart;
        call.max_output = 10;
        const Decision decision = engine.offer(call, kStart);
        const auto* grant = std::get_if<Grant>(&decision);
        ASSERT_NE(grant, nullptr) << i;
        went.push_back(grant->target->account);
    }
    EXPECT_EQ(went, (std::vector<std::string>{"", "prod"}));
    const Status status = engine.status(kStart);
    ASSERT_EQ(status.targets.size(), 2U);
    for (const TargetStatus& target : status.targets) {
        EXPECT_EQ(target.limits.at(0).used, 1U) << target.account;
    }
}

TEST_F(AccountTest, WhatBelongsToAnAccountStaysThere) {
    const auto bound = of({.model = {}, .home_region = {}, .region_bound = true});
    ASSERT_EQ(bound.usable.size(), 1U);
    EXPECT_EQ(bound.usable[0].target.account, "");
    const auto made_there =
        of({.model = {}, .home_region = {}, .region_bound = true, .home_account = "prod"});
    ASSERT_EQ(made_there.usable.size(), 1U);
    EXPECT_EQ(made_there.usable[0].target.account, "prod");
    EXPECT_EQ(of({.model = {}, .home_region = {}, .guardrail = "gr-a"}).usable.size(), 1U)
        << "a guardrail is one account's";
    config.routes[0].targets[1].guardrails = {{"gr-a", "gr-b"}};
    const auto mapped = of({.model = {}, .home_region = {}, .guardrail = "gr-a"});
    ASSERT_EQ(mapped.usable.size(), 2U);
    EXPECT_EQ(mapped.usable[1].guardrail, "gr-b");
}

TEST_F(AccountTest, TheOneOfCredentialsGoesByDefaultToo) {
    config.routes[0].targets[0].account = "default";
    EXPECT_EQ(of({}).usable.at(0).target.account, "");
    EXPECT_TRUE(problems().empty());
    add("us-east-1", "");
    ASSERT_EQ(problems().size(), 1U);
    EXPECT_EQ(problems()[0], "routes[0].targets[2]: this target is listed already");
}

TEST_F(AccountTest, WhatCannotWorkIsRefused) {
    add("us-west-2", "gone");
    config.quotas = {quota(1, "gone")};
    config.accounts["default"].profile = "x";
    config.accounts["empty"];
    config.accounts["loose"].profile = "x";
    config.accounts["loose"].external_id = "e";
    config.accounts["user"].role_arn = "arn:aws:iam::1:user/me";
    config.routes[0].targets[1].model =
        "arn:aws:bedrock:us-east-1:111111111111:application-inference-profile/a";
    const auto found = problems();
    const auto has = [&](const std::string& part) {
        return std::ranges::any_of(found, [&](const auto& one) { return one.contains(part); });
    };
    EXPECT_TRUE(has("routes[0].targets[2].account: `gone` is not among `accounts`"));
    EXPECT_TRUE(has("quotas[0].account: `gone` is not among `accounts`"));
    EXPECT_TRUE(has("accounts.default: "));
    EXPECT_TRUE(has("accounts.empty: an account needs `role_arn` or `profile`"));
    EXPECT_TRUE(has("accounts.loose: `external_id` and `session_name` go with `role_arn`"));
    EXPECT_TRUE(has("accounts.user.role_arn: "));
    EXPECT_TRUE(has("routes[0].targets[1].model: the ARN belongs to the account `111111111111`"));
    EXPECT_EQ(found.size(), 7U);
}

TEST_F(AccountTest, ABedrockKeyTakesOnNoRole) {
    config.routes[0].targets[0].account = "prod";
    config.routes[0].targets[0].region = "us-west-2";
    for (const auto source : {CredentialsSource::bearer, CredentialsSource::client_bearer}) {
        config.credentials.source = source;
        ASSERT_EQ(problems().size(), 1U);
        EXPECT_TRUE(problems()[0].contains("accounts.prod: a Bedrock key cannot take on a role"));
    }
    config.accounts["prod"].profile = "prod";
    EXPECT_TRUE(problems().empty());
}

}  // namespace
}  // namespace weir
