// What `weir aws init` writes for what an account has.
#include "cli/aws_init.h"
#include "cli/config_file.h"
#include "unit/given.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace weir::cli {
namespace {

aws::QuotaLine line(const std::string& name, std::uint64_t applied) {
    aws::QuotaLine line;
    line.full_name = name;
    line.name = aws::parse_quota_name(name).value();
    line.code = "L-1";
    line.applied = applied;
    return line;
}

RegionFound region(std::uint64_t sonnet, std::uint64_t haiku) {
    RegionFound found;
    found.quotas.lines = {
        line("Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1",
             sonnet),
        line("Cross-region model inference requests per minute for Anthropic Claude Sonnet 4.5 V1",
             200),
        line("Cross-region model inference tokens per minute for Anthropic Claude Haiku 4.5",
             haiku)};
    for (const std::string& id : {kSonnet, kHaiku}) {
        aws::InferenceProfile profile;
        profile.id = id;
        profile.destinations = {"us-east-1", "us-east-2", "us-west-2"};
        found.profiles.push_back(profile);
    }
    aws::InferenceProfile global;
    global.id = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";
    global.destinations = {""};
    found.profiles.push_back(global);
    return found;
}

class Init : public ::testing::Test {
protected:
    Init() {
        found.account = "123456789012";
        found.home = "us-east-1";
        found.date = "2026-11-29";
        found.regions = {{"us-east-1", region(200'000, 4'000'000)},
                         {"us-west-2", region(5'000'000, 0)}};
    }
    /// The file, read back as `weir check` reads it.
    Config read_back() {
        const std::string path = ::testing::TempDir() + "/init.yaml";
        std::ofstream(path) << init_yaml(found, init_routes(found));
        const LoadedConfig loaded =
            load_config(path, [](const std::string&) { return std::optional<std::string>(); });
        for (const Complaint& complaint : loaded.complaints) {
            ADD_FAILURE() << to_string(complaint);
        }
        return loaded.config;
    }
    AccountFound found;
};

TEST_F(Init, ModelsInUseGetARouteThatBeginsAtHome) {
    found.regions["us-east-1"].used = {kSonnet};
    const Config config = read_back();
    EXPECT_EQ(config.default_region, "us-east-1");
    EXPECT_EQ(config.regions.size(), 2U);
    ASSERT_EQ(config.routes.size(), 1U);
    EXPECT_EQ(config.routes[0].model, kSonnet);
    ASSERT_EQ(config.routes[0].targets.size(), 2U);
    EXPECT_EQ(config.routes[0].targets[0].region, "us-east-1") << "though its quota is smaller";
    EXPECT_EQ(config.routes[0].targets[1].region, "us-west-2");
    const std::string text = init_yaml(found, init_routes(found));
    EXPECT_NE(text.find("# 200,000 tokens, 200 requests a minute"), std::string::npos) << text;
    EXPECT_NE(text.find("AWS account 123456789012"), std::string::npos);
}

TEST_F(Init, ARegionWithAppliedQuotaZeroIsLeftOutAndSaysSo) {
    found.asked = {kHaiku};
    const Config config = read_back();
    ASSERT_EQ(config.routes.size(), 1U);
    EXPECT_EQ(config.routes[0].targets.size(), 1U);
    EXPECT_EQ(config.regions.size(), 1U);
    const std::string text = init_yaml(found, init_routes(found));
    EXPECT_NE(text.find("us-west-2: the applied quota is 0"), std::string::npos) << text;
    EXPECT_NE(text.find("# us-west-2 has none of these models"), std::string::npos) << text;
}

TEST_F(Init, AnAccountWithoutUseGetsTheModelsWithTheLargestQuotas) {
    const auto routes = init_routes(found);
    ASSERT_EQ(routes.size(), 2U) << "a profile without a quota is none of them";
    EXPECT_EQ(routes[0].model, kHaiku);
    EXPECT_EQ(routes[1].model, kSonnet);
    EXPECT_EQ(read_back().routes.size(), 2U);
}

TEST_F(Init, WhatIsNotThereIsNotWritten) {
    found.asked = {"us.anthropic.claude-none-v1:0"};
    EXPECT_TRUE(init_routes(found).empty());
    const Config config = read_back();
    EXPECT_TRUE(config.routes.empty());
    EXPECT_EQ(config.regions.size(), 1U) << "home";
    found.asked = {kHaiku};
    found.regions = {{"us-east-1", region(0, 0)}};
    EXPECT_TRUE(read_back().routes.empty()) << "a route without a target is a comment";
}

TEST_F(Init, TextOfOthersStaysText) {
    found.asked = {kSonnet};
    found.settings.regions["us-east-1"].endpoint = "http://127.0.0.1:1";
    found.settings.credentials.profile = "a: \"b\" #";
    found.settings.aws.endpoint = "http://127.0.0.1:2";
    found.regions["eu-west-1"].problem = "403 AccessDeniedException";
    const Config config = read_back();
    EXPECT_EQ(config.credentials.profile, "a: \"b\" #");
    EXPECT_EQ(config.regions.at("us-east-1").endpoint, "http://127.0.0.1:1");
    EXPECT_EQ(config.aws.endpoint, "http://127.0.0.1:2");
    EXPECT_FALSE(config.regions.contains("eu-west-1"));
}

TEST_F(Init, NeighboursAreWhereHomesProfilesRun) {
    EXPECT_EQ(neighbours("us-east-1", found.regions["us-east-1"].profiles),
              (std::vector<std::string>{"us-east-2", "us-west-2"}));
    EXPECT_TRUE(neighbours("eu-west-1", found.regions["us-east-1"].profiles).empty());
}

}  // namespace
}  // namespace weir::cli
