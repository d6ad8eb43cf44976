// Which incidents the state of the gateway calls for. Pure: no clock, no call.
#pragma once

#include "aws/incidents.h"
#include "aws/metric_data.h"

#include <weir/config.h>
#include <weir/engine.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::gateway {

/// What of the metrics an incident tells: attempts by Region and result, and what weir did.
struct IncidentCounts {
    std::map<std::string, std::uint64_t> attempts;  // "us-east-1 unavailable"
    std::map<std::string, std::uint64_t> outcomes;
    std::uint64_t rescued = 0;
    std::uint64_t fallbacks = 0;

    static IncidentCounts of(const std::vector<aws::Sample>& samples);
    /// What was added since `before`.
    IncidentCounts since(const IncidentCounts& before) const;
    /// Requests that clients got an answer to, and those that weir or the service failed.
    std::pair<std::uint64_t, std::uint64_t> good_and_bad() const;
};

/// Remembers five minutes. Not thread-safe.
class IncidentConditions {
public:
    /// `now` in seconds, never backwards; `expiry`: seconds until the credentials in use expire.
    std::vector<aws::Condition> update(const Config& config, const Status& status,
                                       const std::vector<aws::Sample>& samples,
                                       std::optional<double> expiry, std::int64_t now);

private:
    aws::BurnRate burn_;
    std::deque<std::pair<std::int64_t, IncidentCounts>> history_;
};

}  // namespace weir::gateway
