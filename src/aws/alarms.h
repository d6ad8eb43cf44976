// The alarms that a configuration calls for, as CloudWatch wants them, and how those that exist
// differ. Pure: nothing here makes a call.
#pragma once

#include <weir/config.h>
#include <weir/result.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::aws {

/// critical: act now; warning: look within the day; info: a trend.
enum class Severity : std::uint8_t { critical, warning, info };
std::string_view to_string(Severity severity);
inline constexpr Severity kSeverities[] = {Severity::critical, Severity::warning, Severity::info};

struct Alarm {
    std::string name;
    std::string region;   // of CloudWatch
    std::string runbook;  // the page's name in docs/runbooks, without .md
    Severity severity = Severity::warning;
    bool composite = false;
    /// Input of PutMetricAlarm or PutCompositeAlarm, without actions and tags.
    nlohmann::json input;
};

/// Every kind of metric alarm, by the name of its page in docs/runbooks.
std::vector<std::string> alarm_kinds();

/// Alarms for each Region and model of `config`: those of its routes and quotas. In each Region one
/// composite alarm a severity rings for all of that severity; while the critical one rings, the
/// others are silent. What is wrong with the configuration is the error.
Result<std::vector<Alarm>> make_alarms(const Config& config);

/// An SNS topic of ours in one Region, or one that the configuration names.
struct Topic {
    std::string region;
    Severity severity = Severity::warning;
    std::string name;  // "weir-critical"; empty: named by `arn`
    std::string arn;   // of a named one
    struct Subscription {
        std::string protocol;
        std::string endpoint;
        bool operator==(const Subscription&) const = default;
    };
    std::vector<Subscription> subscriptions = {};
};
/// For the Regions and severities of `alarms`.
Result<std::vector<Topic>> make_topics(const Config& config, const std::vector<Alarm>& alarms);

/// What every alarm and topic of ours carries, as [{"Key": ..., "Value": ...}].
nlohmann::json own_tags(const Config& config);
bool has_own_tag(const Config& config, const nlohmann::json& tags);

/// "AlarmDescription, Threshold 10 -> 5": the members in which `existing`, as DescribeAlarms gives
/// it, differs from `wanted`; empty: none.
std::string difference(const nlohmann::json& wanted, const nlohmann::json& existing);

/// USD a month in us-east-1 by the price list of 2026-11, free tier not deducted: 0.10 for each
/// metric that a metric alarm reads, 0.50 for a composite one.
double monthly_price(const std::vector<Alarm>& alarms);

}  // namespace weir::aws
