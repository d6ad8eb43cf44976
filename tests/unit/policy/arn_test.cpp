#include <weir/arn.h>

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Arn, RegionAndAccount) {
    const char* const profile = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/x";
    EXPECT_EQ(arn_region(profile), "eu-west-1");
    EXPECT_EQ(arn_account(profile), "123456789012");
    EXPECT_EQ(arn_account("arn:aws:iam::123456789012:role/x"), "123456789012");
    EXPECT_EQ(arn_region("arn:aws:iam::123456789012:role/x"), "");
    EXPECT_EQ(arn_account("arn:aws:bedrock:us-east-1::foundation-model/x"), "");
}

TEST(Arn, WhatIsNoneHasNoParts) {
    for (const auto* none : {"", "arn:", "arn:aws", "arn:aws:bedrock", "arn:aws:bedrock:r",
                             "us.x:0", "xarn:a:b:c:d"}) {
        EXPECT_EQ(arn_region(none), "") << none;
        EXPECT_EQ(arn_account(none), "") << none;
    }
}

}  // namespace
}  // namespace weir
