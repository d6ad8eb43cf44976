// A message to an SNS topic.
#pragma once

#include "aws/api.h"

#include <atomic>
#include <string>

namespace weir::aws {

ApiResult<void> publish(const ApiClient& api, const std::string& topic, const std::string& subject,
                        const std::string& message, const std::atomic<bool>& stop);

}  // namespace weir::aws
