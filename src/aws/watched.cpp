#include "aws/watched.h"

#include <weir/models.h>

#include <algorithm>
#include <set>
#include <utility>

namespace weir::aws {
namespace {

std::string account_label(const std::string& name) {
    return name.empty() ? std::string(kOwnAccount) : name;
}

std::set<std::string> regions_of_routes(const Config& config) {
    std::set<std::string> regions;
    for (const auto& [name, region] : config.regions) {
        regions.insert(name);
    }
    for (const RouteConfig& route : config.routes) {
        for (const RouteTarget& target : route.targets) {
            regions.insert(target.region);
        }
    }
    if (regions.empty() && !config.default_region.empty()) {
        regions.insert(config.default_region);
    }
    return regions;
}

std::vector<std::string> regions_of(const Config& config, const QuotaConfig& quota) {
    if (!quota.region.empty()) {
        return {quota.region};
    }
    const auto all = regions_of_routes(config);
    return {all.begin(), all.end()};
}

}  // namespace

std::vector<Watched> watched_targets(const Config& config) {
    std::set<Watched> out;
    for (const RouteConfig& route : config.routes) {
        for (const RouteTarget& target : route.targets) {
            if (target.endpoint == Endpoint::runtime) {
                out.insert(
                    {target.region,
                     std::string(strip_arn(target.model.empty() ? route.model : target.model)),
                     account_label(target.account)});
            }
        }
    }
    for (const QuotaConfig& quota : config.quotas) {
        if (quota.apart()) {
            continue;
        }
        for (const std::string& region : regions_of(config, quota)) {
            for (const std::string& model : quota.models) {
                out.insert({region, std::string(strip_arn(model)), account_label(quota.account)});
            }
        }
    }
    return {out.begin(), out.end()};
}

std::vector<WatchedQuota> watched_quotas(const Config& config) {
    std::vector<WatchedQuota> out;
    std::set<std::pair<std::string, std::string>> own;  // pools that name their Region
    for (const QuotaConfig& quota : config.quotas) {
        if (!quota.region.empty() && !quota.models.empty()) {
            own.emplace(quota.region, quota.models.front());
        }
    }
    for (const QuotaConfig& quota : config.quotas) {
        if (quota.apart() || quota.models.empty() || account_label(quota.account) != kOwnAccount ||
            (!quota.tokens_per_minute && !quota.requests_per_minute)) {
            continue;
        }
        for (const std::string& region : regions_of(config, quota)) {
            if (quota.region.empty() && own.contains({region, quota.models.front()})) {
                continue;
            }
            WatchedQuota one{region, {}, quota.tokens_per_minute, quota.requests_per_minute};
            std::ranges::transform(
                quota.models, std::back_inserter(one.models),
                [](const std::string& model) { return std::string(strip_arn(model)); });
            out.push_back(std::move(one));
        }
    }
    return out;
}

std::vector<std::string> watched_regions(const Config& config) {
    std::set<std::string> regions;
    for (const Watched& target : watched_targets(config)) {
        regions.insert(target.region);
    }
    return {regions.begin(), regions.end()};
}

std::string metrics_region(const Config& config) {
    if (!config.aws.metrics.region.empty()) {
        return config.aws.metrics.region;
    }
    if (!config.default_region.empty()) {
        return config.default_region;
    }
    return config.regions.size() == 1 ? config.regions.begin()->first : "";
}

}  // namespace weir::aws
