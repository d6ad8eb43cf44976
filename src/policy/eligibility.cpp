#include "policy/eligibility.h"

#include "policy/geography.h"
#include "policy/tariff.h"

#include <algorithm>

namespace weir::policy {

bool glob_match(std::string_view pattern, std::string_view text) {
    // Greedy with one point to come back to: linear in practice, never exponential.
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t mark = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') {
        ++p;
    }
    return p == pattern.size();
}

bool may_use_model(const Config& config, const ClientConfig& client, std::string_view model) {
    const std::string_view plain = strip_arn(model);
    const auto matches = [&](std::string_view name) {
        return std::ranges::any_of(client.models,
                                   [&](const auto& glob) { return glob_match(glob, name); });
    };
    return client.models.empty() || matches(model) || matches(plain) ||
           std::ranges::any_of(config.aliases, [&](const auto& alias) {
               return alias.second == model && matches(alias.first);
           });
}

const RouteConfig* route_of(const Config& config, std::string_view model) {
    const std::string_view asked = strip_arn(model);
    const auto route = std::ranges::find_if(
        config.routes, [&](const RouteConfig& r) { return strip_arn(r.model) == asked; });
    return route == config.routes.end() ? nullptr : &*route;
}

Target target_of(const RouteTarget& target, std::string_view model) {
    // Mantle knows no profiles: models go by their plain ids there.
    const bool plain = target.endpoint == Endpoint::mantle;
    return {.region = target.region,
            .model = !target.model.empty() ? target.model
                                           : std::string(plain ? split_model(model).base : model),
            .endpoint = target.endpoint,
            .tier = target.tier,
            .account = std::string(plain_account(target.account))};
}

bool resides(std::string_view residency, std::string_view region, std::string_view model) {
    if (residency.empty() || residency == "any") {
        return true;
    }
    return geography_within(residency, split_model(model).geo) && region_within(residency, region);
}

namespace {

/// What `by` puts in the place of this guardrail; null: it does not know it. A guardrail goes by
/// its id or by an ARN that ends with it.
const std::string* guardrail_for(const RouteTarget& by, std::string_view guardrail) {
    const auto found = std::ranges::find_if(by.guardrails, [&](const auto& entry) {
        return strip_arn(entry.first) == strip_arn(guardrail);
    });
    return found == by.guardrails.end() ? nullptr : &found->second;
}

/// What the client's own settings have against a target; null: nothing.
const char* client_objection(const Config& config, const PathKey& key, const Candidate& c) {
    const auto client = key.client.empty()
                            ? config.clients.end()
                            : std::ranges::find(config.clients, key.client, &ClientConfig::name);
    if (client == config.clients.end()) {
        return nullptr;
    }
    if (!client->regions.empty() &&
        std::ranges::find(client->regions, c.target.region) == client->regions.end()) {
        return "client_regions";
    }
    const bool same = !c.degraded && may_use_model(config, *client, key.model);
    if (!same && !may_use_model(config, *client, c.target.model) &&
        !may_use_model(config, *client, c.model)) {
        return "client_models";
    }
    return nullptr;
}

class Chooser {
public:
    Chooser(const Config& config, const PathKey& key, const RouteConfig& route)
        : config_(config),
          key_(key),
          route_(route),
          home_(key.home_region.empty() ? config.default_region : key.home_region),
          base_(split_model(key.model).base),
          two_endpoints_(std::ranges::any_of(
              route.targets, [](const RouteTarget& t) { return t.endpoint == Endpoint::mantle; })) {
    }

    Candidate candidate(const RouteTarget& target) const {
        const bool mantle = target.endpoint == Endpoint::mantle;
        Candidate c;
        c.target = target_of(target, key_.model);
        c.model = without_alias(config_, c.target.model);
        c.substituted = c.target.model != key_.model;
        c.degraded = split_model(c.model).base != base_;
        c.weight = target.weight;
        c.path = target.path != ApiPath::as_asked ? target.path
                 : mantle                         ? ApiPath::v1
                 : two_endpoints_                 ? ApiPath::openai_v1
                                                  : ApiPath::as_asked;
        if (away(target) && !key_.guardrail.empty()) {
            const std::string* mapped = guardrail_for(target, key_.guardrail);
            c.guardrail = mapped == nullptr ? std::string() : *mapped;
        }
        if (elsewhere(target) && !key_.profile.empty()) {
            const auto mapped = target.profiles.find(key_.profile);
            c.profile = mapped == target.profiles.end() ? std::string() : mapped->second;
        }
        return c;
    }

    /// Why the call may not go there; null: it may.
    const char* objection(const RouteTarget& target, const Candidate& c) const {
        const bool mantle = target.endpoint == Endpoint::mantle;
        if (!resides(route_.residency, target.region, c.model)) {
            return "residency";
        }
        if (key_.reach != Reach::both && mantle != (key_.reach == Reach::mantle)) {
            return "endpoint";
        }
        if (key_.region_bound && away(target)) {
            return "guardrail";
        }
        if (!key_.guardrail.empty() && (mantle || (away(target) && c.guardrail.empty()))) {
            return "guardrail";
        }
        if (!key_.profile.empty() && elsewhere(target) && c.profile.empty()) {
            return "profile";
        }
        if (!key_.converse && c.degraded &&
            config_.models.facts(c.model).family != config_.models.facts(key_.model).family) {
            return "family";
        }
        return client_objection(config_, key_, c);
    }

private:
    /// Where what the call names by id is not there, or another's: guardrails, profiles and stored
    /// things belong to one Region of one account.
    bool away(const RouteTarget& target) const {
        return target.region != home_ || plain_account(target.account) != key_.home_account;
    }
    /// Where the profile that the call names is not known.
    bool elsewhere(const RouteTarget& target) const {
        return away(target) || target.endpoint == Endpoint::mantle;
    }

    const Config& config_;
    const PathKey& key_;
    const RouteConfig& route_;
    const std::string& home_;
    std::string_view base_;
    bool two_endpoints_;
};

}  // namespace

Candidates candidates(const Config& config, const PathKey& key) {
    Candidates result;
    const RouteConfig* route = route_of(config, key.model);
    if (route == nullptr) {
        Candidate c;
        c.target.region = key.home_region.empty() ? config.default_region : key.home_region;
        c.target.model = key.model;
        c.target.account = key.home_account;
        c.model = key.model;
        if (key.reach == Reach::mantle) {  // what it leans on was made under another configuration
            result.skipped.push_back(Skipped{c.target.region, c.target.model, "endpoint"});
        } else if (const char* reason = client_objection(config, key, c)) {
            result.skipped.push_back(Skipped{c.target.region, c.target.model, reason});
        } else {
            result.usable.push_back(std::move(c));
        }
        return result;
    }
    result.route = route;
    const Chooser chooser(config, key, *route);
    for (const RouteTarget& target : route->targets) {
        Candidate c = chooser.candidate(target);
        if (const char* reason = chooser.objection(target, c)) {
            result.skipped.push_back(Skipped{target.region, c.target.model, reason});
        } else {
            result.usable.push_back(std::move(c));
        }
    }
    for (Candidate& c : result.usable) {
        c.unlike_first = split_model(c.model).base != split_model(result.usable.front().model).base;
    }
    return result;
}

Mapped mapped_by(const Config& config) {
    Mapped mapped;
    for (const RouteConfig& route : config.routes) {
        for (const RouteTarget& target : route.targets) {
            for (const auto& [guardrail, here] : target.guardrails) {
                mapped.guardrails.emplace(strip_arn(guardrail));
            }
            for (const auto& [profile, here] : target.profiles) {
                mapped.profiles.emplace(profile);
            }
        }
    }
    return mapped;
}

}  // namespace weir::policy
