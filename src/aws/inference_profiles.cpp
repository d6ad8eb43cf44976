#include "aws/inference_profiles.h"

#include "aws/json_read.h"
#include "codec/hex.h"

#include <weir/arn.h>
#include <weir/models.h>

#include <algorithm>
#include <set>

namespace weir::aws {
namespace {

using Json = nlohmann::json;

constexpr int kProfilePages = 20;
constexpr std::size_t kMostDestinations = 100;

bool is_arn(std::string_view text) {
    return text.starts_with("arn:aws") && text.contains(":bedrock:");
}

std::optional<InferenceProfile> profile_of(const Json& item) {
    InferenceProfile profile;
    profile.id = text_of(item, "inferenceProfileId");
    profile.arn = text_of(item, "inferenceProfileArn");
    profile.application = text_of(item, "type") == "APPLICATION";
    const Json& models = member(item, "models");
    if (profile.id.empty() || !is_arn(profile.arn) || !models.is_array() || models.empty() ||
        models.size() > kMostDestinations) {
        return std::nullopt;
    }
    std::set<std::string> destinations;
    for (const Json& model : models) {
        std::string arn = text_of(model, "modelArn");
        if (!is_arn(arn)) {
            return std::nullopt;
        }
        destinations.emplace(arn_region(arn));
        profile.models.push_back(std::move(arn));
    }
    std::ranges::sort(profile.models);
    profile.destinations.assign(destinations.begin(), destinations.end());
    return profile;
}

}  // namespace

ApiResult<std::vector<InferenceProfile>> list_profiles(const ApiClient& api,
                                                       const std::string& region,
                                                       const std::string& endpoint,
                                                       const std::atomic<bool>& stop) {
    std::vector<InferenceProfile> found;
    // Without a type the service lists its own alone.
    for (const char* type : {"SYSTEM_DEFINED", "APPLICATION"}) {
        std::string token;
        std::set<std::string> seen;
        for (int page = 0; page < kProfilePages; ++page) {
            std::string target =
                "/inference-profiles?maxResults=200&typeEquals=" + std::string(type);
            if (!token.empty()) {
                target = "/inference-profiles?maxResults=200&nextToken=" +
                         codec::percent_encoded(token) + "&typeEquals=" + type;
            }
            const auto answer =
                api.rest({ApiService::bedrock, region, endpoint}, "GET", target, nullptr, stop);
            if (!answer) {
                return std::unexpected(answer.error());
            }
            const Json& items = member(*answer, "inferenceProfileSummaries");
            if (!items.is_array()) {
                return std::unexpected(
                    ApiError{200, "", "the answer has no inferenceProfileSummaries", ""});
            }
            for (const Json& item : items) {
                if (auto profile = profile_of(item)) {
                    found.push_back(std::move(*profile));
                }
            }
            token = text_of(*answer, "nextToken");
            if (token.empty() || !seen.insert(token).second) {
                break;
            }
        }
    }
    return found;
}

ApiResult<InferenceProfile> get_profile(const ApiClient& api, const std::string& region,
                                        const std::string& endpoint, const std::string& id,
                                        const std::atomic<bool>& stop) {
    const auto answer =
        api.rest({ApiService::bedrock, region, endpoint}, "GET",
                 "/inference-profiles/" + codec::percent_encoded(id), nullptr, stop);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    auto profile = profile_of(*answer);
    if (!profile) {
        return std::unexpected(ApiError{200, "", "the answer is not an inference profile", ""});
    }
    return std::move(*profile);
}

std::map<std::string, std::string> application_aliases(
    const std::vector<InferenceProfile>& profiles) {
    std::map<std::string, std::string> aliases;
    for (const InferenceProfile& profile : profiles) {
        if (!profile.application) {
            continue;
        }
        const auto system = std::ranges::find_if(profiles, [&](const InferenceProfile& other) {
            return !other.application && other.models == profile.models;
        });
        if (system != profiles.end()) {
            aliases.emplace(profile.arn, system->id);
        } else if (profile.models.size() == 1) {
            aliases.emplace(profile.arn, strip_arn(profile.models.front()));
        }
    }
    return aliases;
}

}  // namespace weir::aws
