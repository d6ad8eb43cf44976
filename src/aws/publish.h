// A message to an SNS topic.
#pragma once

#include "aws/api.h"

#include <atomic>
#include <string>
#include <string_view>

namespace weir::aws {

/// "us-east-1" of arn:aws:sns:us-east-1:123456789012:name; empty: it is none.
std::string region_of_arn(std::string_view arn);

ApiResult<void> publish(const ApiClient& api, const std::string& topic, const std::string& subject,
                        const std::string& message, const std::atomic<bool>& stop);

}  // namespace weir::aws
