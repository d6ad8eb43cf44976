// What one model has used in one Region, by CloudWatch's minutes.
#pragma once

#include "aws/api.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weir::aws {

/// A minute as AWS/Bedrock counts it.
struct UsedMinute {
    double requests = 0;   // accepted
    double throttled = 0;  // refused with 429
    double input = 0;
    double cache_write = 0;
    double output = 0;

    /// As the quota is charged at the end.
    double quota_tokens(std::uint32_t burndown) const {
        return input + cache_write + output * burndown;
    }
};

/// By Unix seconds of the minute's begin; minutes without any use are left out.
using UsedMinutes = std::map<std::int64_t, UsedMinute>;

/// The minutes of [from, to). AWS charges $0.01 for 1,000 metrics asked for: five a model.
/// CloudWatch keeps single minutes for 15 days.
ApiResult<UsedMinutes> read_minutes(const ApiClient& api, const std::string& region,
                                    const std::string& model_id, std::int64_t from, std::int64_t to,
                                    const std::atomic<bool>& stop);

/// The ids of all models that have been used there lately, as CloudWatch names them.
ApiResult<std::vector<std::string>> read_used_models(const ApiClient& api,
                                                     const std::string& region,
                                                     const std::atomic<bool>& stop);

/// The highest minute of each kind, and when.
struct UsagePeak {
    double tokens = 0;
    std::int64_t tokens_at = 0;
    double requests = 0;
    std::int64_t requests_at = 0;
    double throttled = 0;       // in all
    double most_throttled = 0;  // in one minute
    std::int64_t throttled_at = 0;
    double invocations = 0;  // in all
};
UsagePeak peak_of(const UsedMinutes& minutes, std::uint32_t burndown);

}  // namespace weir::aws
