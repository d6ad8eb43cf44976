// Warnings about a configuration: each value is allowed, and together they hardly do what was
// meant.
#include "policy/validate.h"

#include <weir/models.h>

#include <algorithm>
#include <array>

namespace weir::policy {
namespace {

/// Where a profile with a geographic prefix is certainly not offered: Regions by the beginning of
/// their names. A prefix that is not listed is left to the service.
struct Elsewhere {
    std::string_view geo;
    std::array<std::string_view, 6> regions;
};
constexpr std::array kElsewhere{
    Elsewhere{"us", {"eu-", "ap-", "sa-", "af-", "cn-", "us-gov-"}},
    Elsewhere{"eu", {"us-", "ap-", "sa-", "ca-", "af-", "cn-"}},
    Elsewhere{"apac", {"us-", "eu-", "sa-", "ca-", "af-", "cn-"}},
    Elsewhere{"jp", {"us-", "eu-", "sa-", "ca-", "af-", "cn-"}},
    Elsewhere{"au", {"us-", "eu-", "sa-", "ca-", "af-", "cn-"}},
    Elsewhere{"us-gov", {"eu-", "ap-", "sa-", "ca-", "af-", "cn-"}},
};

bool is_offered(std::string_view geo, std::string_view region) {
    const auto row = std::ranges::find(kElsewhere, geo, &Elsewhere::geo);
    return row == kElsewhere.end() ||
           std::ranges::none_of(row->regions,
                                [&](std::string_view start) { return region.starts_with(start); });
}

void doubt_targets(const Config& config, Problems& problems) {
    for (std::size_t i = 0; i < config.routes.size(); ++i) {
        const RouteConfig& route = config.routes[i];
        for (std::size_t j = 0; j < route.targets.size(); ++j) {
            const RouteTarget& target = route.targets[j];
            const std::string& model = target.model.empty() ? route.model : target.model;
            const std::string_view geo = split_model(model).geo;
            const bool mapped = !target.profiles.empty() || config.aliases.contains(model) ||
                                target.endpoint == Endpoint::mantle;
            problems.require(
                mapped || is_offered(geo, target.region),
                element(element("routes", i) + ".targets", j) +
                    (target.model.empty() ? ".region" : ".model"),
                quoted(model) + " is a profile of " + std::string(geo) +
                    ", which Bedrock does not offer in " + target.region +
                    ": calls there would fail; meant may be a model with the prefix of that place, "
                    "with `global.` or with none");
        }
    }
}

void doubt_waits(const Config& config, Problems& problems) {
    const QueueConfig& queue = config.queue;
    problems.require(queue.max_wait <= queue.deadline, "queue.max_wait",
                     "is longer than `queue.deadline`, which ends the wait before");
    problems.require(queue.target_wait <= queue.max_wait, "queue.target_wait",
                     "is longer than `queue.max_wait`, so that it never has an effect");
    for (std::size_t i = 0; i < config.routes.size(); ++i) {
        const RouteConfig& route = config.routes[i];
        if (route.targets.size() < 2)
            continue;
        problems.require(route.spill_after < queue.max_wait, element("routes", i) + ".spill_after",
                         "is not shorter than `queue.max_wait`: no call ever waits that long, and "
                         "none goes to a later Region because of the quota");
    }
}

void doubt_share(const Config& config, Problems& problems) {
    problems.require(!config.shared || config.quota_share == 1, "quota_share",
                     "divides what all instances share: together they use this part of each quota; "
                     "meant may be 1, because `shared` is set");
}

}  // namespace

std::vector<Problem> doubts(const Config& config) {
    Problems problems;
    doubt_targets(config, problems);
    doubt_waits(config, problems);
    doubt_share(config, problems);
    return problems.take();
}

}  // namespace weir::policy
