// The file's limits and AWS's, joined.
#include "gateway/quota_findings.h"

#include "unit/given.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

aws::QuotaLine line(const std::string& name, std::uint64_t applied, std::uint64_t standard = 0) {
    aws::QuotaLine made;
    made.full_name = name + " for Anthropic Claude Sonnet 4.5 V1";
    made.name = *aws::parse_quota_name(made.full_name);
    made.code = "L-1";
    made.applied = applied;
    made.standard = standard;
    return made;
}

struct QuotaFindingsTest : ::testing::Test {
    QuotaFindingsTest() {
        config.regions["us-east-1"];
        config.regions["us-west-2"];
        RouteConfig route;
        route.model = kSonnet;
        route.targets = {{.region = "us-east-1", .model = ""}};
        config.routes.push_back(route);
    }
    void applied(std::uint64_t tokens, std::uint64_t standard = 0) {
        findings.quotas["us-east-1"].lines = {
            line("Cross-region model inference tokens per minute", tokens, standard)};
    }
    /// The limit in force of us-east-1.
    std::optional<std::uint64_t> tokens() {
        joined = with_findings(config, {{"", findings}}, status);
        for (const QuotaConfig& quota : joined.config.quotas) {
            if (quota.region == "us-east-1") {
                return quota.tokens_per_minute;
            }
        }
        return std::nullopt;
    }
    Config config;
    QuotaFindings findings;
    Status status;
    WithFindings joined;
};

TEST_F(QuotaFindingsTest, FillsWhatTheFileDoesNotSay) {
    applied(5'000'000);
    EXPECT_EQ(tokens(), 5'000'000u);
    ASSERT_EQ(joined.limits.size(), 1u);
    EXPECT_EQ(joined.limits[0].doubt, LimitDoubt::none);
}

TEST_F(QuotaFindingsTest, TheFileWinsFigureByFigure) {
    QuotaConfig own;
    own.models = {kSonnet};
    own.requests_per_minute = 200;
    own.output_burndown = 7;
    config.quotas.push_back(own);
    applied(5'000'000);
    findings.quotas["us-east-1"].lines.push_back(
        line("Cross-region model inference requests per minute", 10'000));
    EXPECT_EQ(tokens(), 5'000'000u);
    // The other Region keeps the file's pool.
    ASSERT_EQ(joined.config.quotas.size(), 2u);
    EXPECT_EQ(joined.config.quotas[0].tokens_per_minute, std::nullopt);
    EXPECT_EQ(joined.config.quotas[1].requests_per_minute, 200u);
    EXPECT_EQ(joined.config.quotas[1].output_burndown, 7u);
    ASSERT_EQ(joined.limits.size(), 2u);
    EXPECT_EQ(joined.limits[0].doubt, LimitDoubt::overruled);
    EXPECT_EQ(joined.limits[1].doubt, LimitDoubt::none);
}

TEST_F(QuotaFindingsTest, APoolOfSeveralModelsIsTheFilesAlone) {
    QuotaConfig own;
    own.models = {kSonnet, "us.amazon.nova-lite-v1:0"};
    own.region = "us-east-1";
    own.requests_per_minute = 200;
    config.quotas.push_back(own);
    applied(5'000'000);
    EXPECT_EQ(tokens(), std::nullopt);
    EXPECT_EQ(joined.limits.at(0).doubt, LimitDoubt::overruled);
}

TEST_F(QuotaFindingsTest, AModelInUseNeedsNoRoute) {
    config.routes.clear();
    applied(5'000'000);
    EXPECT_EQ(tokens(), std::nullopt);
    TargetStatus target;
    target.region = "us-east-1";
    target.model = kSonnet;
    status.targets.push_back(target);
    EXPECT_EQ(tokens(), 5'000'000u);
}

TEST_F(QuotaFindingsTest, DoubtfulLimitsDoNotEndTraffic) {
    applied(0, 5'000'000);
    EXPECT_EQ(tokens(), std::nullopt);
    EXPECT_EQ(joined.limits[0].doubt, LimitDoubt::zero);
    applied(1);
    EXPECT_EQ(tokens(), std::nullopt);
    EXPECT_EQ(joined.limits[0].doubt, LimitDoubt::tiny);
    applied(20'000, 5'000'000);
    EXPECT_EQ(tokens(), std::nullopt);
    EXPECT_EQ(joined.limits[0].doubt, LimitDoubt::tiny);

    applied(20'000);
    EXPECT_EQ(tokens(), 20'000u);
    TargetStatus target;
    target.region = "us-east-1";
    target.model = kSonnet;
    target.limits = {{.kind = LimitKind::tokens, .limit = 0, .used = 90'000, .reserved = 45'000}};
    status.targets.push_back(target);
    EXPECT_EQ(tokens(), std::nullopt);
    EXPECT_EQ(joined.limits[0].doubt, LimitDoubt::contradicted);
}

aws::InferenceProfile profile(const std::string& id, bool application,
                              std::vector<std::string> destinations) {
    aws::InferenceProfile made;
    made.id = id;
    made.arn = "arn:aws:bedrock:us-east-1:1:x/" + id;
    made.application = application;
    for (const std::string& region : destinations) {
        made.models.push_back("arn:aws:bedrock:" + region + "::foundation-model/" +
                              kSonnet.substr(3));
    }
    made.destinations = std::move(destinations);
    return made;
}

TEST_F(QuotaFindingsTest, EachAccountHasItsOwn) {
    config.accounts["prod"];
    RouteTarget other;
    other.region = "us-east-1";
    other.account = "prod";
    config.routes[0].targets.push_back(other);
    applied(5'000'000);
    QuotaFindings theirs;
    theirs.quotas["us-east-1"].lines = {
        line("Cross-region model inference tokens per minute", 700'000, 0)};
    joined = with_findings(config, {{"", findings}, {"prod", theirs}}, status);
    std::map<std::string, std::uint64_t> tokens;
    for (const QuotaConfig& quota : joined.config.quotas) {
        tokens[quota.account] = quota.tokens_per_minute.value_or(0);
    }
    EXPECT_EQ(tokens,
              (std::map<std::string, std::uint64_t>{{"default", 5'000'000}, {"prod", 700'000}}));
    ASSERT_EQ(joined.limits.size(), 2U);
    EXPECT_EQ(joined.limits[1].account, "prod");
    TargetStatus seen;
    seen.region = "us-east-1";
    seen.model = kSonnet;
    seen.limits = {{LimitKind::tokens, 0, 2'000'000, 0, true}};
    status.targets = {seen};
    joined = with_findings(config, {{"", findings}, {"prod", theirs}}, status);
    EXPECT_EQ(joined.limits[1].doubt, LimitDoubt::none) << "what the other account used";
    status.targets[0].account = "prod";
    joined = with_findings(config, {{"", findings}, {"prod", theirs}}, status);
    EXPECT_EQ(joined.limits[1].doubt, LimitDoubt::contradicted);
    joined = with_findings(config, {{"", findings}}, status);
    EXPECT_EQ(joined.limits.size(), 1U) << "of prod nothing is known";
}

TEST_F(QuotaFindingsTest, ApplicationProfilesAreAliases) {
    findings.profiles["us-east-1"] = {profile(kSonnet, false, {"us-east-1", "us-west-2"}),
                                      profile("abc", true, {"us-east-1", "us-west-2"})};
    config.routes[0].model = "arn:aws:bedrock:us-east-1:1:x/abc";
    applied(5'000'000);
    EXPECT_EQ(tokens(), 5'000'000u);
    EXPECT_EQ(joined.config.aliases.at("arn:aws:bedrock:us-east-1:1:x/abc"), kSonnet);
    // The file's own alias stays.
    config.aliases["arn:aws:bedrock:us-east-1:1:x/abc"] = "mine.model";
    (void)tokens();
    EXPECT_EQ(joined.config.aliases.at("arn:aws:bedrock:us-east-1:1:x/abc"), "mine.model");
}

TEST_F(QuotaFindingsTest, DestinationsOutsideAResidencyAreTold) {
    findings.profiles["us-east-1"] = {profile(kSonnet, false, {"us-east-1", "eu-west-1"})};
    EXPECT_TRUE(residency_doubts(config, {{"", findings}}).empty());
    config.routes[0].residency = "us";
    ASSERT_EQ(residency_doubts(config, {{"", findings}}).size(), 1u);
    EXPECT_TRUE(residency_doubts(config, {{"", findings}})[0].contains("eu-west-1"));
    findings.profiles["us-east-1"] = {profile(kSonnet, false, {"us-east-1", "us-west-2"})};
    EXPECT_TRUE(residency_doubts(config, {{"", findings}}).empty());
}

}  // namespace
}  // namespace weir::gateway
