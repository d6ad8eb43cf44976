// What of a configuration alarms, dashboards and queries are about.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::aws {

/// The account of the configuration's own credentials.
inline constexpr std::string_view kOwnAccount = "default";

/// CloudWatch's namespace of what Bedrock itself measures, and its shortest period (in seconds).
inline constexpr std::string_view kBedrockMetrics = "AWS/Bedrock";
inline constexpr int kMinutePeriod = 60;

/// A model as CloudWatch names it in one Region.
struct Watched {
    std::string region;
    std::string model;
    std::string account;

    auto operator<=>(const Watched&) const = default;
};

/// One pool of the own account whose limits are configured.
struct WatchedQuota {
    std::string region;
    std::vector<std::string> models;
    std::optional<std::uint64_t> tokens;    // a minute
    std::optional<std::uint64_t> requests;  // a minute
};

/// The targets of routes and of quotas at bedrock-runtime, each once, in their order.
std::vector<Watched> watched_targets(const Config& config);
std::vector<WatchedQuota> watched_quotas(const Config& config);

/// Their Regions, each once.
std::vector<std::string> watched_regions(const Config& config);

/// Where weir's own metrics are in CloudWatch; empty: nothing says.
std::string metrics_region(const Config& config);

}  // namespace weir::aws
