#include "aws/publish.h"

#include <weir/arn.h>

#include <pugixml.hpp>

namespace weir::aws {

ApiResult<void> publish(const ApiClient& api, const std::string& topic, const std::string& subject,
                        const std::string& message, const std::atomic<bool>& stop) {
    const auto done =
        api.query({ApiService::sns, std::string(arn_region(topic))}, "Publish",
                  {{"TopicArn", topic}, {"Subject", subject}, {"Message", message}}, stop);
    if (!done) {
        return std::unexpected(done.error());
    }
    return {};
}

}  // namespace weir::aws
