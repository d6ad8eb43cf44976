#include "cli/routes_audit.h"

#include "aws/inference_profiles.h"
#include "cli/aws_access.h"
#include "gateway/settings.h"
#include "policy/geography.h"
#include "policy/tariff.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <ostream>

namespace weir::cli {
namespace {

using Json = nlohmann::json;

struct Destinations {
    std::vector<std::string> regions;  // or patterns of their names
    std::string by = "table";          // of geographies; "bedrock"; "region": the target's own
    std::string untold;                // why Bedrock did not say
};

struct AuditedTarget {
    std::string region;
    std::string account;
    std::string model;
    Destinations to;
    bool used = true;  // false: the residency rules it out
    std::string why;
    bool contradiction = false;  // used, and may leave the residency by what Bedrock says
};

struct AuditedRoute {
    std::string model;
    std::string residency;
    std::string mode;
    std::vector<AuditedTarget> targets;
};

class Audit {
public:
    Audit(AwsAccess& access, bool offline) : access_(access), offline_(offline) {}

    std::vector<AuditedRoute> run() {
        std::vector<AuditedRoute> routes;
        const Config& config = access_.config();
        for (const RouteConfig& route : config.routes) {
            AuditedRoute made{
                route.model,
                route.residency,
                route.mode.value_or(config.mode) == Mode::observe ? "observe" : "enforce",
                {}};
            for (const RouteTarget& target : route.targets) {
                made.targets.push_back(judge(route, target));
            }
            routes.push_back(std::move(made));
        }
        return routes;
    }

private:
    AuditedTarget judge(const RouteConfig& route, const RouteTarget& target) {
        const std::string asked = target.model.empty() ? route.model : target.model;
        AuditedTarget out;
        out.region = target.region;
        out.account = account_label(plain_account(target.account));
        out.model = asked;
        const std::string known(strip_arn(policy::without_alias(access_.config(), asked)));
        const std::string geo(policy::geography_of(known));
        out.to = destinations(target, asked, known, geo);
        if (route.residency == "any") {
            out.why = "residency any: every target is used";
        } else if (!policy::region_within(route.residency, target.region)) {
            out.used = false;
            out.why = "never used: " + target.region + " is not in " + route.residency;
        } else if (!policy::geography_within(route.residency, geo)) {
            out.used = false;
            out.why = "never used: a " + geo + ". profile may leave " + route.residency;
        } else {
            out.why = target.region + " is in " + route.residency +
                      (geo.empty() ? ", and a model asked for by its own id stays in its Region"
                                   : ", and " + geo + ". profiles stay within it");
            for (const std::string& region : out.to.regions) {
                if (out.to.by == "bedrock" && !policy::region_within(route.residency, region)) {
                    out.contradiction = true;
                    out.why = "Bedrock says that this profile may run in " +
                              (region.empty() ? "any commercial Region" : region) +
                              ", outside of " + route.residency;
                }
            }
        }
        return out;
    }

    Destinations destinations(const RouteTarget& target, const std::string& asked,
                              const std::string& known, const std::string& geo) {
        Destinations by_table;
        by_table.regions = geo.empty() ? std::vector{target.region} : policy::region_patterns(geo);
        const bool profile = !geo.empty() || asked.contains("inference-profile/");
        if (!profile || target.endpoint == Endpoint::mantle) {
            by_table.by = "region";
            return by_table;
        }
        if (offline_) {
            by_table.untold = "not asked";
            return by_table;
        }
        if (!plain_account(target.account).empty()) {
            by_table.untold = "not asked in account " + target.account;
            return by_table;
        }
        const std::string id = asked.contains("application-inference-profile/") ? asked : known;
        const auto key = target.region + " " + id;
        auto found = asked_.find(key);
        if (found == asked_.end()) {
            found = asked_
                        .emplace(key, aws::get_profile(access_.api(target.region), target.region,
                                                       access_.control_endpoint(target.region), id,
                                                       access_.stop()))
                        .first;
        }
        if (!found->second) {
            by_table.untold = found->second.error().text();
            return by_table;
        }
        return {found->second->destinations, "bedrock", ""};
    }

    AwsAccess& access_;
    bool offline_;
    std::map<std::string, aws::ApiResult<aws::InferenceProfile>> asked_;
};

std::string shown(const std::string& region) {
    return region.empty() || region == "*" ? "any commercial Region" : region;
}

std::string text_of(const std::vector<AuditedRoute>& routes, const Config& config) {
    std::string text = fmt::format("configuration {}\n", gateway::hash_of(config));
    for (const AuditedRoute& route : routes) {
        text += fmt::format("route {}\n  residency {}, mode {}\n", route.model, route.residency,
                            route.mode);
        for (const AuditedTarget& target : route.targets) {
            std::string to;
            for (const std::string& region : target.to.regions) {
                to += (to.empty() ? "" : ", ") + shown(region);
            }
            text += fmt::format("  {}  {}  account {}\n    processed in: {} ({})\n    {}{}\n",
                                target.region, target.model, target.account, to,
                                target.to.by == "region"    ? "where it is called"
                                : target.to.by == "bedrock" ? "GetInferenceProfile"
                                                            : "by the table of geographies; "
                                                              "GetInferenceProfile: " +
                                                                  target.to.untold,
                                target.contradiction ? "CONTRADICTION: " : "", target.why);
        }
    }
    text +=
        "A model without a route goes to the Region that its caller signed for, and to no other; a "
        "profile among them runs where its prefix says.\n";
    return text;
}

std::string json_of(const std::vector<AuditedRoute>& routes, const Config& config) {
    Json rows = Json::array();
    for (const AuditedRoute& route : routes) {
        Json targets = Json::array();
        for (const AuditedTarget& target : route.targets) {
            Json regions = Json::array();
            for (const std::string& region : target.to.regions) {
                regions.push_back(region.empty() ? "*" : region);
            }
            targets.push_back({{"region", target.region},
                               {"account", target.account},
                               {"model", target.model},
                               {"destinations", regions},
                               {"destinations_by", target.to.by},
                               {"not_told", target.to.untold},
                               {"used", target.used},
                               {"contradiction", target.contradiction},
                               {"why", target.why}});
        }
        rows.push_back({{"model", route.model},
                        {"residency", route.residency},
                        {"mode", route.mode},
                        {"targets", targets}});
    }
    return Json{{"configuration", gateway::hash_of(config)},
                {"routes", rows},
                {"without_route", "home Region alone"}}
               .dump(2) +
           "\n";
}

}  // namespace

int run_routes(const RoutesOptions& options, const Getenv& getenv, std::ostream& out,
               std::ostream& err) {
    if (!options.audit) {
        err << "weir routes: --audit prints the record of residency\n";
        return 2;
    }
    const auto access = open_access(options.config, getenv, err);
    if (!access) {
        return 2;
    }
    const auto routes = Audit(*access, options.offline).run();
    out << (options.json ? json_of(routes, access->config()) : text_of(routes, access->config()));
    for (const AuditedRoute& route : routes) {
        for (const AuditedTarget& target : route.targets) {
            if (target.contradiction) {
                return 1;
            }
        }
    }
    return 0;
}

}  // namespace weir::cli
