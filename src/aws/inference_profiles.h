// Inference profiles: which model an ARN stands for, and in which Regions its calls may run.
#pragma once

#include "aws/api.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir::aws {

struct InferenceProfile {
    std::string id;  // `us.anthropic.claude-...`; an application profile's is opaque
    std::string arn;
    bool application = false;
    std::vector<std::string> models;        // ARNs, one a destination
    std::vector<std::string> destinations;  // Regions, sorted; "" stands for all commercial ones
};

/// All of the account in this Region. `endpoint`: of the control plane; empty: the service's own.
ApiResult<std::vector<InferenceProfile>> list_profiles(const ApiClient& api,
                                                       const std::string& region,
                                                       const std::string& endpoint,
                                                       const std::atomic<bool>& stop);

/// One of them, by id or ARN.
ApiResult<InferenceProfile> get_profile(const ApiClient& api, const std::string& region,
                                        const std::string& endpoint, const std::string& id,
                                        const std::atomic<bool>& stop);

/// What each application profile's ARN stands for: the system profile with the same destinations,
/// else the model itself where it has one. Others are left out.
std::map<std::string, std::string> application_aliases(
    const std::vector<InferenceProfile>& profiles);

}  // namespace weir::aws
