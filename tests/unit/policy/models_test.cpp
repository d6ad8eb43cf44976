#include <gtest/gtest.h>
#include <weir/models.h>
#include <weir/types.h>

namespace weir {
namespace {

TEST(Models, ArnsCountByTheirLastSegment) {
    EXPECT_EQ(strip_arn("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x-v1:0"),
              "us.x-v1:0");
    EXPECT_EQ(strip_arn("us.x-v1:0"), "us.x-v1:0");
    EXPECT_EQ(strip_arn("arn:aws:bedrock"), "arn:aws:bedrock");
    EXPECT_EQ(strip_arn(""), "");
}

TEST(Models, GeoPrefixesAreSplitOff) {
    EXPECT_EQ(split_model("us.anthropic.claude").geo, "us");
    EXPECT_EQ(split_model("us.anthropic.claude").base, "anthropic.claude");
    EXPECT_EQ(split_model("us-gov.anthropic.claude").geo, "us-gov");
    EXPECT_EQ(split_model("global.anthropic.claude").base, "anthropic.claude");
    EXPECT_EQ(split_model("anthropic.claude").geo, "");
    EXPECT_EQ(split_model("anthropic.claude").base, "anthropic.claude");
    EXPECT_EQ(split_model("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.amazon.nova").geo,
              "eu");
    EXPECT_EQ(split_model("nodots").base, "nodots");
}

TEST(Models, TheLongestPrefixWinsAndUnknownsAreGuessed) {
    ModelTable table;
    table.add("anthropic.", {Family::anthropic, 5, 64'000, 200'000, false});
    table.add("anthropic.claude-3-haiku", {Family::anthropic, 1, 4096, 200'000, false});
    EXPECT_EQ(table.facts("us.anthropic.claude-3-haiku-20240307-v1:0").max_output, 4096U);
    EXPECT_EQ(table.facts("anthropic.claude-4").output_burndown, 5U);
    EXPECT_TRUE(table.facts("anthropic.claude-4").known);
    EXPECT_FALSE(table.facts("someone.else").known);
    EXPECT_EQ(table.facts("someone.else").output_burndown, 1U);
    EXPECT_EQ(ModelTable{}.facts("anthropic.new").output_burndown, 5U);
    table.add("anthropic.", {Family::anthropic, 7, 64'000, 200'000, false});
    EXPECT_EQ(table.facts("anthropic.claude-4").output_burndown, 7U);
}

TEST(Models, EverythingHasAName) {
    for (int i = 0; i <= static_cast<int>(FailureClass::caller); ++i) {
        EXPECT_FALSE(to_string(static_cast<FailureClass>(i)).empty());
    }
    for (int i = 0; i <= static_cast<int>(RefusalReason::no_target); ++i) {
        EXPECT_FALSE(to_string(static_cast<RefusalReason>(i)).empty());
    }
    EXPECT_EQ(to_string(Priority::interactive), "interactive");
    EXPECT_EQ(to_string(LimitKind::daily_tokens), "daily_tokens");
    EXPECT_EQ(to_string(Family::nova), "nova");
}

}  // namespace
}  // namespace weir
