// What each feature adds to the policy. Policies as a whole are judged end to end, by a simulator
// and a linter.
#include "cli/iam_policy.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::cli {
namespace {

const IamStatement* find(const std::vector<IamStatement>& all, const std::string& action) {
    const auto found = std::ranges::find_if(all, [&](const IamStatement& statement) {
        return std::ranges::find(statement.actions, action) != statement.actions.end();
    });
    return found == all.end() ? nullptr : &*found;
}

Config plain() {
    Config config;
    config.regions["us-east-1"];
    config.aws.read_quotas = false;
    RouteConfig route;
    route.model = "amazon.nova-lite-v1:0";
    route.targets = {{.region = "us-east-1", .model = ""}};
    config.routes.push_back(route);
    return config;
}

std::vector<IamStatement> of(const Config& config, const std::string& account = "") {
    IamPolicyOptions options;
    options.account = account;
    return iam_statements(config, {"us-east-1"}, options);
}

TEST(IamPolicy, ARouteNeedsItsModelAlone) {
    const auto all = of(plain());
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].resources,
              std::vector<std::string>{
                  "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"});
}

TEST(IamPolicy, AGeographysProfileMayUseItsRegionsAndNoOthers) {
    Config config = plain();
    config.routes[0].model = "jp.anthropic.claude-sonnet-4-5-20250929-v1:0";
    config.regions = {{"ap-northeast-1", {}}};
    config.routes[0].targets[0].region = "ap-northeast-1";
    std::string all;
    for (const IamStatement& statement : of(config)) {
        for (const std::string& resource : statement.resources) {
            all += resource + "\n";
        }
    }
    EXPECT_TRUE(all.contains("bedrock:ap-northeast-1::foundation-model/anthropic.")) << all;
    EXPECT_TRUE(all.contains("bedrock:ap-northeast-3::foundation-model/anthropic.")) << all;
    EXPECT_FALSE(all.contains("ap-northeast-*")) << all;
}

TEST(IamPolicy, MetricsMayGoIntoTheirNamespace) {
    Config config = plain();
    config.aws.metrics.to = MetricsTo::emf;
    EXPECT_EQ(find(of(config), "cloudwatch:PutMetricData"), nullptr);
    config.aws.metrics.to = MetricsTo::cloudwatch;
    config.aws.metrics.name_space = "Mine";
    const auto all = of(config);
    const IamStatement* metrics = find(all, "cloudwatch:PutMetricData");
    ASSERT_NE(metrics, nullptr);
    ASSERT_EQ(metrics->equals.size(), 1u);
    EXPECT_EQ(metrics->equals[0].second, std::vector<std::string>{"Mine"});
}

TEST(IamPolicy, IncidentsMayBePublishedToTheirTopic) {
    Config config = plain();
    EXPECT_EQ(find(of(config), "sns:Publish"), nullptr);
    config.aws.incidents.topic = "arn:aws:sns:us-east-1:123456789012:pager";
    const auto all = of(config);
    ASSERT_NE(find(all, "sns:Publish"), nullptr);
    EXPECT_EQ(find(all, "sns:Publish")->resources,
              std::vector<std::string>{"arn:aws:sns:us-east-1:123456789012:pager"});
}

TEST(IamPolicy, AnotherAccountsRoleHasNothingButItsTargetsAndItsQuotas) {
    Config config = plain();
    config.aws.read_quotas = true;
    config.aws.metrics.to = MetricsTo::cloudwatch;
    config.aws.incidents.topic = "arn:aws:sns:us-east-1:123456789012:pager";
    config.accounts["prod"].role_arn = "arn:aws:iam::210987654321:role/weir";
    config.routes[0].targets.push_back({.region = "us-west-2", .model = "", .account = "prod"});
    EXPECT_NE(find(of(config), "sts:AssumeRole"), nullptr);
    const auto theirs = of(config, "prod");
    ASSERT_EQ(theirs.size(), 2u) << "metrics and incidents are for the keys of `credentials`";
    EXPECT_EQ(theirs[0].resources,
              std::vector<std::string>{
                  "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-lite-v1:0"});
    EXPECT_NE(find(theirs, "servicequotas:ListServiceQuotas"), nullptr);
    config.aws.read_quotas = false;
    EXPECT_EQ(of(config, "prod").size(), 1u);
}

}  // namespace
}  // namespace weir::cli
