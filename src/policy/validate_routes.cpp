// What may stand under `routes` and `quotas`.

#include "policy/eligibility.h"
#include "policy/geography.h"
#include "policy/validate.h"

#include <weir/arn.h>
#include <weir/models.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace weir::policy {

namespace {

/// What may go into a header and a JSON text as it is.
bool is_plain_id(std::string_view text) {
    return !text.empty() && text.size() <= 2048 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_.:/").find(c) != std::string_view::npos;
    });
}

void validate_mantle(const Config& config, const RouteTarget& target, const std::string& path,
                     Problems& problems) {
    if (target.endpoint != Endpoint::mantle)
        return;
    const auto region = config.regions.find(target.region);
    problems.require(
        region == config.regions.end() || region->second.endpoint.empty() ||
            !region->second.mantle_endpoint.empty(),
        path + ".endpoint",
        "regions." + target.region +
            " has an `endpoint` of its own and no `mantle_endpoint`: this target would "
            "lead elsewhere; set both or neither");
    problems.require(!target.model.starts_with("arn:") && split_model(target.model).geo.empty(),
                     path + ".model",
                     quoted(target.model) +
                         " is a profile, and bedrock-mantle has none; allowed is a plain model id "
                         "such as anthropic.claude-opus-5");
    problems.require(target.guardrails.empty(), path + ".guardrails",
                     "bedrock-mantle has no guardrails: calls that carry one never go there");
}

void validate_mappings(const RouteTarget& target, const std::string& path, Problems& problems) {
    const auto validate_here = [&](const std::string& here, const std::string& where) {
        if (!problems.require(is_plain_id(here), where,
                              quoted(here) + " is no id and no ARN; allowed are letters, digits, "
                                             "'-', '_', '.', ':' and '/'"))
            return;
        const std::string_view region = arn_region(here);
        problems.require(region.empty() || target.region.empty() || region == target.region, where,
                         "the ARN names the Region " + quoted(region) + ", the target " +
                             quoted(target.region) + "; allowed is the same");
        problems.require(target.endpoint != Endpoint::mantle || !here.starts_with("arn:"), where,
                         "bedrock-mantle has no profiles; allowed is a plain model id");
    };
    std::set<std::string_view> ids;
    for (const auto& [theirs, here] : target.guardrails) {
        const std::string where = member_path(path, "guardrails." + theirs);
        problems.require(is_plain_id(theirs), where, quoted(theirs) + " is no guardrail");
        problems.require(ids.insert(strip_arn(theirs)).second, where,
                         quoted(theirs) + " is mapped already, as an id or as an ARN");
        validate_here(here, where);
    }
    for (const auto& [theirs, here] : target.profiles) {
        const std::string where = member_path(path, "profiles." + theirs);
        problems.require(theirs.starts_with("arn:") && is_plain_id(theirs), where,
                         quoted(theirs) + " is no profile's ARN; allowed is one of another Region");
        validate_here(here, where);
    }
    problems.require(target.profiles.empty() || target.model.empty(), path + ".profiles",
                     "`model` and `profiles` both say what is asked for here; allowed is one of "
                     "them");
}

void validate_residency(const RouteConfig& route, const RouteTarget& target,
                        const std::string& path, Problems& problems) {
    const std::string& residency = route.residency;
    if (residency == "any" || !is_residency(residency))
        return;
    problems.require(target.region.empty() || region_within(residency, target.region),
                     path + ".region",
                     quoted(target.region) + " lies outside `residency: " + residency +
                         "`; this target could never be used");
    const std::string model = target_of(target, route.model).model;
    const bool inside = geography_within(residency, split_model(model).geo);
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
    const std::string model = target_of(target, route.model).model;
    const std::string_view named = arn_region(model);
    problems.require(named.empty() || target.region.empty() || named == target.region,
                     path + (target.model.empty() ? ".region" : ".model"),
                     "the ARN names the Region " + quoted(named) + ", the target " +
                         quoted(target.region) + "; allowed is the same");
    validate_account(config, target.account, path + ".account", problems);
    const auto account = config.accounts.find(std::string(plain_account(target.account)));
    if (account != config.accounts.end()) {
        const std::string_view theirs = arn_account(account->second.role_arn);
        const std::string_view owner = arn_account(model);
        problems.require(theirs.empty() || owner.empty() || theirs == owner, path + ".model",
                         "the ARN belongs to the account " + quoted(owner) + ", the target to " +
                             quoted(theirs) + "; allowed is the same");
    }
    validate_residency(route, target, path, problems);
    validate_mantle(config, target, path, problems);
    validate_mappings(target, path, problems);
}

// A Bedrock key is good in the Region that made it only: with it, a second Region is no way out.
void validate_bearer(const Config& config, const RouteConfig& route, const std::string& path,
                     Problems& problems) {
    std::set<std::string> shared;
    std::set<std::string> all;
    bool callers_key = false;
    for (const RouteTarget& target : route.targets) {
        if (!plain_account(target.account).empty())
            continue;  // it has keys of its own
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

constexpr std::string_view kApart =
    "is not counted there: bedrock-mantle and the reserved tier have quotas of input and of output "
    "tokens, without requests, days and burndown; allowed are input_tokens_per_minute and "
    "output_tokens_per_minute";
constexpr std::string_view kNotApart =
    "is for `endpoint: mantle` or `tier: reserved`; elsewhere input and output share "
    "tokens_per_minute";

struct Limit {
    std::string_view key;
    const std::optional<std::uint64_t>* value;
    bool apart;  // of quotas that count input and output apart
};

std::array<Limit, 5> limits_of(const QuotaConfig& quota) {
    return {{{".requests_per_minute", &quota.requests_per_minute, false},
             {".tokens_per_minute", &quota.tokens_per_minute, false},
             {".tokens_per_day", &quota.tokens_per_day, false},
             {".input_tokens_per_minute", &quota.input_tokens_per_minute, true},
             {".output_tokens_per_minute", &quota.output_tokens_per_minute, true}}};
}

}  // namespace

void validate_account(const Config& config, const std::string& account, const std::string& path,
                      Problems& problems) {
    std::string known(kDefaultAccount);
    for (const auto& [name, settings] : config.accounts)
        known += ", " + name;
    problems.require(plain_account(account).empty() || config.accounts.contains(account), path,
                     quoted(account) + " is not among `accounts`; allowed are " + known);
}

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
        std::set<Target> targets;
        for (std::size_t j = 0; j < route.targets.size(); ++j) {
            const RouteTarget& target = route.targets[j];
            const std::string where = element(path + ".targets", j);
            validate_target(config, route, target, where, problems);
            const Target place{
                target.region, std::string(strip_arn(target_of(target, route.model).model)),
                target.endpoint, target.tier, std::string(plain_account(target.account))};
            problems.require(targets.insert(place).second, where, "this target is listed already");
        }
        problems.require(is_residency(route.residency), path + ".residency",
                         quoted(route.residency) + " is unknown; allowed are " + residencies());
        validate_bearer(config, route, path, problems);
    }
}

void validate_quotas(const Config& config, Problems& problems) {
    // Place and model -> the quota that has it; without a Region: each.
    std::map<Target, std::size_t> pools;
    for (std::size_t i = 0; i < config.quotas.size(); ++i) {
        const QuotaConfig& quota = config.quotas[i];
        const std::string path = element("quotas", i);
        validate_account(config, quota.account, path + ".account", problems);
        problems.require(!quota.models.empty(), path, "a quota needs `model` or `models`");
        problems.require(
            quota.region.empty() || is_declared(config, quota.region), path + ".region",
            quoted(quota.region) + " is not declared; declared are " + declared_regions(config));
        for (std::size_t j = 0; j < quota.models.size(); ++j) {
            const std::string where = element(path + ".models", j);
            if (!problems.require(!quota.models[j].empty(), where,
                                  "is empty; allowed is a model id"))
                continue;
            const auto [first, fresh] = pools.emplace(
                Target{quota.region, std::string(strip_arn(quota.models[j])), quota.endpoint,
                       quota.reserved ? Tier::reserved : Tier::unset, quota.account},
                i);
            problems.require(
                quota.endpoint != Endpoint::mantle || split_model(quota.models[j]).geo.empty(),
                where,
                quoted(quota.models[j]) +
                    " is a profile, and bedrock-mantle has none; allowed is a plain "
                    "model id such as anthropic.claude-opus-5");
            problems.require(fresh, where,
                             quoted(quota.models[j]) + " has a quota in " +
                                 (quota.region.empty() ? "each Region" : quota.region) +
                                 (quota.account.empty() ? "" : " of account " + quota.account) +
                                 " already, " + element("quotas", first->second));
        }
        bool says_something = quota.output_burndown.has_value() || quota.reserve_burndown;
        for (const auto& [key, limit, apart] : limits_of(quota)) {
            says_something = says_something || limit->has_value();
            problems.require(!limit->has_value() || apart == quota.apart(), path + std::string(key),
                             apart ? kNotApart : kApart);
        }
        problems.require(!quota.apart() || !quota.output_burndown, path + ".output_burndown",
                         kApart);
        problems.require(!quota.apart() || !quota.reserve_burndown, path + ".reserve_burndown",
                         kApart);
        problems.require(says_something, path,
                         quota.apart() ? "sets nothing; allowed are input_tokens_per_minute, "
                                         "output_tokens_per_minute"
                                       : "sets nothing; allowed are requests_per_minute, "
                                         "tokens_per_minute, tokens_per_day, output_burndown, "
                                         "reserve_burndown");
    }
}

}  // namespace weir::policy
