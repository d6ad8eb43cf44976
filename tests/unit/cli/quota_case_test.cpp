// What is told of a model's quotas, all of it in the unit of the quota that is asked for.
#include "cli/quota_cases.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

QuotaCase case_of(const std::string& model) {
    QuotaCase one;
    one.region = "us-east-1";
    one.model = model;
    one.day_peak = 180;
    aws::QuotaLine line;
    line.full_name =
        "Model invocation max tokens per day for Anthropic Claude Sonnet 4.5 V1 (doubled for "
        "cross-region calls)";
    line.name = *aws::parse_quota_name(line.full_name);
    line.code = "L-1";
    line.applied = 100;
    line.standard = 80;
    one.tokens_per_day = line;
    return one;
}

TEST(QuotaCase, UseOfADoubledQuotaIsToldInItsOwnUnit) {
    const QuotaCase profile = case_of("us.anthropic.claude-sonnet-4-5-20250929-v1:0");
    EXPECT_EQ(profile.allowed(aws::QuotaKind::tokens_per_day), 200u);
    EXPECT_EQ(profile.used(aws::QuotaKind::tokens_per_day), 90);
    const std::string text = case_markdown(profile, {});
    EXPECT_TRUE(text.contains("| L-1 | 100 | 80 | 90 in 24 h | 10 % | 110 |")) << text;
}

TEST(QuotaCase, CallsWithoutAProfileUseItOnce) {
    const QuotaCase plain = case_of("anthropic.claude-sonnet-4-5-20250929-v1:0");
    EXPECT_EQ(plain.allowed(aws::QuotaKind::tokens_per_day), 100u);
    EXPECT_EQ(plain.used(aws::QuotaKind::tokens_per_day), 180);
}

}  // namespace
}  // namespace weir::cli
