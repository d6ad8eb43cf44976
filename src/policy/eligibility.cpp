#include "policy/eligibility.h"

#include <algorithm>

namespace weir::policy {

namespace {

bool region_within(std::string_view residency, std::string_view region) {
    if (residency == "us") {
        return region.starts_with("us-") && !region.starts_with("us-gov-");
    }
    if (residency == "apac") {
        return region.starts_with("ap-");
    }
    if (residency == "jp") {
        return region == "ap-northeast-1" || region == "ap-northeast-3";
    }
    if (residency == "au") {
        return region == "ap-southeast-2" || region == "ap-southeast-4";
    }
    // eu, us-gov, ca, sa, me, af, il, mx: the Region's own first part.
    return region.size() > residency.size() && region.starts_with(residency) &&
           region[residency.size()] == '-';
}

}  // namespace

bool resides(std::string_view residency, std::string_view region, std::string_view model) {
    if (residency.empty() || residency == "any") {
        return true;
    }
    const std::string_view geo = split_model(model).geo;
    const bool prefix_stays =
        geo.empty() || geo == residency || (residency == "apac" && (geo == "jp" || geo == "au"));
    return prefix_stays && region_within(residency, region);
}

Candidates candidates(const Config& config, const PathKey& key) {
    Candidates result;
    const std::string_view asked = strip_arn(key.model);
    const auto route = std::ranges::find_if(
        config.routes, [&](const RouteConfig& r) { return strip_arn(r.model) == asked; });
    if (route == config.routes.end()) {
        std::string region = key.home_region.empty() ? config.default_region : key.home_region;
        result.usable.push_back(Candidate{std::move(region), key.model, false, false, 0, false});
        return result;
    }
    result.route = &*route;
    const std::string& home = key.home_region.empty() ? config.default_region : key.home_region;
    for (const RouteTarget& target : route->targets) {
        const std::string& model = target.model.empty() ? key.model : target.model;
        const char* reason = nullptr;
        if (!resides(route->residency, target.region, model)) {
            reason = "residency";
        } else if (key.region_bound && target.region != home) {
            reason = "guardrail";
        } else if (!key.converse && split_model(model).base != split_model(key.model).base &&
                   config.models.facts(model).family != config.models.facts(key.model).family) {
            reason = "family";
        }
        if (reason != nullptr) {
            result.skipped.push_back(Skipped{target.region, model, reason});
            continue;
        }
        Candidate candidate{
            target.region,      model,
            model != key.model, split_model(model).base != split_model(key.model).base,
            target.weight,      false};
        result.usable.push_back(std::move(candidate));
    }
    for (Candidate& c : result.usable) {
        c.unlike_first = split_model(c.model).base != split_model(result.usable.front().model).base;
    }
    return result;
}

}  // namespace weir::policy
