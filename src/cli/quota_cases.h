// One model in one Region: what the account may use, what it has used, and what that means.
#pragma once

#include "aws/quota_reader.h"
#include "aws/usage_reader.h"
#include "cli/aws_access.h"

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

struct QuotaCase {
    std::string account;  // of `accounts`; empty: that of `credentials`
    std::string region;
    std::string model;
    std::uint32_t burndown = 1;
    std::uint64_t max_output = 0;  // held by a call that sets no max_tokens
    std::optional<aws::QuotaLine> tokens_per_minute;
    std::optional<aws::QuotaLine> requests_per_minute;
    std::optional<aws::QuotaLine> tokens_per_day;
    aws::UsedMinutes minutes;  // empty: none, or not to be had
    aws::UsagePeak peak;
    double day_peak = 0;    // tokens in any 24 hours
    std::string no_quotas;  // why there are no limits; empty: they are known
    std::string no_usage;   // likewise

    const std::optional<aws::QuotaLine>& line(aws::QuotaKind kind) const;
    /// What calls to the model may use; nothing: unknown.
    std::optional<std::uint64_t> allowed(aws::QuotaKind kind) const {
        const auto& quota = line(kind);
        return quota ? aws::limit_of(&*quota, model) : std::nullopt;
    }
    /// As Service Quotas counts it: half, where the quota is doubled for the model.
    double used(aws::QuotaKind kind) const;
};

struct CaseSearch {
    std::string model;   // empty: all
    std::string region;  // empty: all
    int days = 14;
    std::int64_t now = 0;                               // Unix seconds
    std::optional<std::string> account = std::nullopt;  // of `accounts`; "": that of `credentials`
};

/// False: `accounts` has no such name, and `err` has been told.
bool account_is_known(const Config& config, const std::string& account, std::ostream& err);

/// All models of the configuration in their Regions; without any, those that CloudWatch knows.
std::vector<QuotaCase> read_cases(AwsAccess& access, const CaseSearch& search);

/// What the model's quota of this kind should be: the peak and a margin, to two digits.
std::uint64_t recommended(double peak);

/// A figure that is used up to `used`: what is left, "75 %".
std::string head_room(double used, std::uint64_t limit);

std::string cases_text(const std::vector<QuotaCase>& cases, int days);
std::string cases_json(const std::vector<QuotaCase>& cases, int days);
/// Markdown for a support case.
std::string case_markdown(const QuotaCase& one, const CaseSearch& search);

}  // namespace weir::cli
