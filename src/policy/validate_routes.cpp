// What may stand under `routes` and `quotas`.

#include "policy/validate.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace weir::policy {

namespace {

constexpr std::array<std::string_view, 13> kResidencies{
    "any", "us", "eu", "apac", "jp", "au", "us-gov", "ca", "sa", "me", "af", "il", "mx"};

std::string residencies() {
    std::string names;
    for (const std::string_view name : kResidencies)
        names += (names.empty() ? "" : ", ") + std::string(name);
    return names;
}

bool lies_in(std::string_view region, std::string_view residency) {
    if (residency == "jp")
        return region == "ap-northeast-1" || region == "ap-northeast-3";
    if (residency == "au")
        return region == "ap-southeast-2" || region == "ap-southeast-4";
    if (residency == "apac")
        return region.starts_with("ap-");
    if (residency == "us")
        return region.starts_with("us-") && !region.starts_with("us-gov-");
    return region.starts_with(std::string(residency) + "-");
}

// The fourth part of arn:partition:service:region:account:resource; empty: none, or no ARN.
std::string_view arn_region(std::string_view model) {
    if (!model.starts_with("arn:"))
        return {};
    for (int part = 0; part < 3; ++part) {
        const std::size_t colon = model.find(':');
        if (colon == std::string_view::npos)
            return {};
        model.remove_prefix(colon + 1);
    }
    const std::size_t end = model.find(':');
    return end == std::string_view::npos ? std::string_view() : model.substr(0, end);
}

void validate_residency(const RouteConfig& route, const RouteTarget& target,
                        const std::string& path, Problems& problems) {
    const std::string& residency = route.residency;
    if (residency == "any" || std::ranges::find(kResidencies, residency) == kResidencies.end())
        return;
    problems.require(target.region.empty() || lies_in(target.region, residency), path + ".region",
                     quoted(target.region) + " lies outside `residency: " + residency +
                         "`; this target could never be used");
    const std::string& model = target.model.empty() ? route.model : target.model;
    const std::string_view geo = split_model(model).geo;
    const bool inside =
        geo.empty() || geo == residency || (residency == "apac" && (geo == "jp" || geo == "au"));
    problems.require(inside, path + (target.model.empty() ? "" : ".model"),
                     quoted(model) + " may be served outside `residency: " + residency +
                         "`; allowed are models with the prefix " + residency + ". or with none");
}

void validate_target(const Config& config, const RouteConfig& route, const RouteTarget& target,
                     const std::string& path, Problems& problems) {
    if (problems.require(!target.region.empty(), path + ".region", "a target needs a `region`"))
        problems.require(
            config.regions.contains(target.region), path + ".region",
            quoted(target.region) + " is not declared; declared are " + declared_regions(config));
    const std::string& model = target.model.empty() ? route.model : target.model;
    const std::string_view named = arn_region(model);
    problems.require(named.empty() || target.region.empty() || named == target.region,
                     path + (target.model.empty() ? ".region" : ".model"),
                     "the ARN names the Region " + quoted(named) + ", the target " +
                         quoted(target.region) + "; allowed is the same");
    problems.require(target.weight <= 1000, path + ".weight", "must be between 1 and 1000");
    validate_residency(route, target, path, problems);
}

// A Bedrock key is good in the Region that made it only: with it, a second Region is no way out.
void validate_bearer(const Config& config, const RouteConfig& route, const std::string& path,
                     Problems& problems) {
    std::set<std::string> shared;
    std::set<std::string> all;
    bool callers_key = false;
    for (const RouteTarget& target : route.targets) {
        const auto region = config.regions.find(target.region);
        const bool own = region != config.regions.end() && region->second.credentials;
        const CredentialsSource source =
            own ? region->second.credentials->source : config.credentials.source;
        callers_key = callers_key || source == CredentialsSource::client_bearer;
        all.insert(target.region);
        if (source == CredentialsSource::bearer && !own)
            shared.insert(target.region);
    }
    problems.require(shared.size() <= 1, path + ".targets",
                     "a bearer key is good in one Region, and these targets lie in several; give "
                     "the Regions credentials of their own or use another `credentials.source`");
    problems.require(!callers_key || all.size() <= 1, path + ".targets",
                     "with `client_bearer` the caller's key is good in one Region, and these "
                     "targets lie in several");
}

}  // namespace

void validate_routes(const Config& config, Problems& problems) {
    std::map<std::string, std::size_t> models;
    for (std::size_t i = 0; i < config.routes.size(); ++i) {
        const RouteConfig& route = config.routes[i];
        const std::string path = element("routes", i);
        if (problems.require(!route.model.empty(), path + ".model", "a route needs a `model`")) {
            const auto [first, fresh] = models.emplace(strip_arn(route.model), i);
            problems.require(
                fresh, path + ".model",
                quoted(route.model) + " has a route already, " + element("routes", first->second));
        }
        problems.require(!route.targets.empty(), path + ".targets",
                         "a route needs at least one target");
        std::set<std::pair<std::string, std::string>> targets;
        for (std::size_t j = 0; j < route.targets.size(); ++j) {
            const RouteTarget& target = route.targets[j];
            const std::string where = element(path + ".targets", j);
            validate_target(config, route, target, where, problems);
            const std::string& model = target.model.empty() ? route.model : target.model;
            problems.require(targets.emplace(target.region, strip_arn(model)).second, where,
                             "this target is listed already");
        }
        problems.require(route.spill_after >= Duration::zero(), path + ".spill_after",
                         "must not be negative");
        problems.require(route.degrade_after >= Duration::zero(), path + ".degrade_after",
                         "must not be negative");
        problems.require(route.max_output != 0U, path + ".max_output",
                         "must be at least 1; leave it out for no cap");
        problems.require(std::ranges::find(kResidencies, route.residency) != kResidencies.end(),
                         path + ".residency",
                         quoted(route.residency) + " is unknown; allowed are " + residencies());
        validate_bearer(config, route, path, problems);
    }
}

void validate_quotas(const Config& config, Problems& problems) {
    // (Region or empty, model) -> the quota that has it
    std::map<std::pair<std::string, std::string>, std::size_t> pools;
    for (std::size_t i = 0; i < config.quotas.size(); ++i) {
        const QuotaConfig& quota = config.quotas[i];
        const std::string path = element("quotas", i);
        problems.require(!quota.models.empty(), path, "a quota needs `model` or `models`");
        problems.require(
            quota.region.empty() || is_declared(config, quota.region), path + ".region",
            quoted(quota.region) + " is not declared; declared are " + declared_regions(config));
        for (std::size_t j = 0; j < quota.models.size(); ++j) {
            const std::string where = element(path + ".models", j);
            if (!problems.require(!quota.models[j].empty(), where,
                                  "is empty; allowed is a model id"))
                continue;
            const auto [first, fresh] =
                pools.emplace(std::pair(quota.region, std::string(strip_arn(quota.models[j]))), i);
            problems.require(fresh, where,
                             quoted(quota.models[j]) + " has a quota in " +
                                 (quota.region.empty() ? "each Region" : quota.region) +
                                 " already, " + element("quotas", first->second));
        }
        const std::pair<std::string_view, const std::optional<std::uint64_t>*> limits[] = {
            {".requests_per_minute", &quota.requests_per_minute},
            {".tokens_per_minute", &quota.tokens_per_minute},
            {".tokens_per_day", &quota.tokens_per_day}};
        bool says_something = quota.output_burndown.has_value() || quota.reserve_burndown;
        for (const auto& [key, limit] : limits) {
            says_something = says_something || limit->has_value();
            problems.require(*limit != 0U, path + std::string(key),
                             "is 0, which lets nothing through; leave it out and it is learned");
        }
        problems.require(says_something, path,
                         "sets nothing; allowed are requests_per_minute, tokens_per_minute, "
                         "tokens_per_day, output_burndown, reserve_burndown");
        problems.require(!quota.output_burndown ||
                             (*quota.output_burndown >= 1 && *quota.output_burndown <= 1000),
                         path + ".output_burndown", "must be between 1 and 1000");
    }
}

}  // namespace weir::policy
