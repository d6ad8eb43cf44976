#include "aws/publish.h"

#include <pugixml.hpp>

namespace weir::aws {

std::string region_of_arn(std::string_view arn) {
    for (int colons = 0; colons < 3; ++colons) {
        const auto at = arn.find(':');
        if (at == std::string_view::npos) {
            return "";
        }
        arn.remove_prefix(at + 1);
    }
    return std::string(arn.substr(0, arn.find(':')));
}

ApiResult<void> publish(const ApiClient& api, const std::string& topic, const std::string& subject,
                        const std::string& message, const std::atomic<bool>& stop) {
    const auto done =
        api.query({ApiService::sns, region_of_arn(topic)}, "Publish",
                  {{"TopicArn", topic}, {"Subject", subject}, {"Message", message}}, stop);
    if (!done) {
        return std::unexpected(done.error());
    }
    return {};
}

}  // namespace weir::aws
