#include "policy/geography.h"
#include "policy/eligibility.h"

#include <gtest/gtest.h>
#include <weir/models.h>

namespace weir::policy {
namespace {

TEST(Geography, EveryPrefixIsSplitOff) {
    for (const std::string geo : {"us", "eu", "apac", "jp", "au", "us-gov", "ca", "sa", "me", "af",
                                  "il", "mx", "global", "th", "in", "eu-sov", "us-iso"}) {
        const std::string id = geo + ".anthropic.claude-sonnet-4-5-20250929-v1:0";
        EXPECT_EQ(geography_of(id), geo);
        EXPECT_EQ(split_model(id).base, "anthropic.claude-sonnet-4-5-20250929-v1:0") << id;
        const std::string arn = "arn:aws:bedrock:ca-central-1:1:inference-profile/" + id;
        EXPECT_EQ(split_model(arn).geo, geo);
    }
}

TEST(Geography, ProvidersAreNone) {
    for (const char* id :
         {"openai.gpt-5.6", "ai21.jamba-1.5", "zai.glm-4.7", "qwen.qwen3-vl.x", "luma.ray-v2:0",
          "moonshotai.kimi-k2.5", "x.y.z", "nodots", "", ".", "..", "th.model", "US.anthropic.x",
          "u1.anthropic.x", "us_x.anthropic.y", "us-.anthropic.x", "us-waytoolong.anthropic.x"}) {
        EXPECT_EQ(geography_of(id), "") << id;
        EXPECT_EQ(split_model(id).base, id);
    }
}

TEST(Geography, AResidencyHoldsForTheRegionAndThePrefix) {
    const auto stays = [](std::string_view residency, std::string_view region,
                          std::string_view geo) {
        const std::string dot = geo.empty() ? "" : ".";
        return resides(residency, region, std::string(geo) + dot + "anthropic.claude-x");
    };
    struct Row {
        std::string_view residency, region;
    };
    for (const Row& row :
         {Row{"us", "us-west-2"}, Row{"eu", "eu-north-1"}, Row{"apac", "ap-south-1"},
          Row{"jp", "ap-northeast-3"}, Row{"au", "ap-southeast-4"}, Row{"us-gov", "us-gov-west-1"},
          Row{"ca", "ca-west-1"}, Row{"sa", "sa-east-1"}, Row{"me", "me-central-1"},
          Row{"af", "af-south-1"}, Row{"il", "il-central-1"}, Row{"mx", "mx-central-1"}}) {
        SCOPED_TRACE(row.residency);
        EXPECT_TRUE(is_residency(row.residency));
        EXPECT_NE(residencies().find(row.residency), std::string::npos);
        EXPECT_TRUE(stays(row.residency, row.region, ""));
        EXPECT_TRUE(stays(row.residency, row.region, row.residency));
        EXPECT_FALSE(stays(row.residency, row.region, "global"));
        EXPECT_FALSE(stays(row.residency, row.region, "th"));  // not known: in doubt outside
        EXPECT_FALSE(stays(row.residency, "xx-north-1", row.residency));
        EXPECT_TRUE(stays("any", row.region, "global"));
    }
    EXPECT_TRUE(stays("apac", "ap-northeast-1", "jp"));
    EXPECT_FALSE(stays("jp", "ap-northeast-1", "apac"));
    EXPECT_FALSE(stays("us", "us-gov-west-1", "us"));
    EXPECT_FALSE(is_residency("global"));
    EXPECT_FALSE(is_residency("th"));
    EXPECT_TRUE(is_residency("any"));
}

}  // namespace
}  // namespace weir::policy
