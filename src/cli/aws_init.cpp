#include "cli/aws_init.h"

#include "observe/figures.h"

#include <weir/models.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <set>

namespace weir::cli {
namespace {

constexpr std::size_t kMostUnused = 5;  // routes for an account that has used nothing yet
constexpr std::size_t kMostRoutes = 50;
constexpr std::size_t kMostNeighbours = 12;

std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string quota_figure(const std::optional<std::uint64_t>& value) {
    return value ? observe::figure(*value) : "an unknown number of";
}

bool has_profile(const RegionFound& region, const std::string& model) {
    return std::ranges::any_of(region.profiles,
                               [&](const auto& profile) { return profile.id == model; });
}

/// Whether calls to this id can be served there: a profile is listed, or a quota of the bare id.
bool offers(const RegionFound& region, const std::string& model) {
    if (!split_model(model).geo.empty()) {
        return has_profile(region, model);
    }
    const aws::ModelQuotas lines = aws::quotas_of(region.quotas, model);
    return lines.tokens_per_minute != nullptr || lines.requests_per_minute != nullptr ||
           std::ranges::find(region.used, model) != region.used.end();
}

std::optional<InitRoute> route_of(const AccountFound& found, const std::string& model) {
    InitRoute route{model, {}, {}};
    for (const auto& [name, region] : found.regions) {
        if (!region.problem.empty() || !offers(region, model)) {
            continue;
        }
        const aws::ModelQuotas lines = aws::quotas_of(region.quotas, model);
        InitTarget target{name, aws::limit_of(lines.tokens_per_minute, model),
                          aws::limit_of(lines.requests_per_minute, model)};
        if (target.tokens_per_minute == 0U || target.requests_per_minute == 0U) {
            route.not_granted.push_back(name);
        } else {
            route.targets.push_back(std::move(target));
        }
    }
    std::ranges::sort(route.targets, [&](const InitTarget& a, const InitTarget& b) {
        const bool home_a = a.region == found.home;
        const bool home_b = b.region == found.home;
        return home_a != home_b ? home_a
               : a.tokens_per_minute != b.tokens_per_minute
                   ? a.tokens_per_minute > b.tokens_per_minute
                   : a.region < b.region;
    });
    return route.targets.empty() && route.not_granted.empty() ? std::nullopt
                                                              : std::optional(std::move(route));
}

std::set<std::string> models_wanted(const AccountFound& found) {
    std::set<std::string> models(found.asked.begin(), found.asked.end());
    if (models.empty()) {
        for (const auto& [name, region] : found.regions) {
            for (const std::string& model : region.used) {
                models.emplace(strip_arn(model));
            }
        }
    }
    return models;
}

/// Profiles with the largest token quotas: what the account was given to work with.
std::vector<InitRoute> largest(const AccountFound& found) {
    std::set<std::string> ids;
    for (const auto& [name, region] : found.regions) {
        for (const aws::InferenceProfile& profile : region.profiles) {
            if (!profile.application) {
                ids.insert(profile.id);
            }
        }
    }
    std::vector<InitRoute> routes;
    for (const std::string& id : ids) {
        auto route = route_of(found, id);
        if (route && !route->targets.empty() && route->targets.front().tokens_per_minute) {
            routes.push_back(std::move(*route));
        }
    }
    std::ranges::sort(routes, [](const InitRoute& a, const InitRoute& b) {
        const auto most_a = a.targets.front().tokens_per_minute;
        const auto most_b = b.targets.front().tokens_per_minute;
        return most_a != most_b ? most_a > most_b : a.model < b.model;
    });
    routes.resize(std::min(routes.size(), kMostUnused));
    return routes;
}

class Yaml {
public:
    explicit Yaml(const AccountFound& found) : found_(found) {}

    std::string write(const std::vector<InitRoute>& routes) {
        line(
            "# weir.yaml of {}, as `weir aws init` found it on {}. Review it, then: weir check "
            "weir.yaml",
            found_.account.empty() ? "an AWS account" : "the AWS account " + found_.account,
            found_.date);
        line("listen: 127.0.0.1:7070");
        regions(routes);
        credentials();
        aws();
        this->routes(routes);
        return std::move(text_);
    }

private:
    template <class... T>
    void line(fmt::format_string<T...> format, T&&... values) {
        fmt::format_to(std::back_inserter(text_), format, std::forward<T>(values)...);
        text_ += '\n';
    }

    void regions(const std::vector<InitRoute>& routes) {
        std::set<std::string> used{found_.home};
        for (const InitRoute& route : routes) {
            for (const InitTarget& target : route.targets) {
                used.insert(target.region);
            }
        }
        line("");
        line("regions:");
        for (const std::string& name : used) {
            const auto declared = found_.settings.regions.find(name);
            line("  {}: {}", name,
                 declared == found_.settings.regions.end() ? "{}" : settings_of(declared->second));
        }
        line("default_region: {}", found_.home);
        for (const auto& [name, region] : found_.regions) {
            if (!region.problem.empty()) {
                line("# {} is not known: {}", name, region.problem);
            } else if (!used.contains(name)) {
                line("# {} has none of these models.", name);
            }
        }
    }

    static std::string settings_of(const RegionConfig& region) {
        std::string inside;
        for (const auto& [key, value] :
             {std::pair("endpoint", region.endpoint),
              std::pair("control_endpoint", region.control_endpoint), std::pair("ca", region.ca),
              std::pair("proxy", region.proxy)}) {
            if (!value.empty()) {
                inside += (inside.empty() ? "" : ", ") + std::string(key) + ": " + quoted(value);
            }
        }
        return "{" + inside + "}";
    }

    void credentials() {
        const std::string& profile = found_.settings.credentials.profile;
        if (!profile.empty()) {
            line("credentials: {{profile: {}}}", quoted(profile));
        }
    }

    void aws() {
        const AwsConfig& aws = found_.settings.aws;
        line("");
        line(
            "# Limits are read from Service Quotas at the start and every hour. What follows costs "
            "money at AWS, so it is off.");
        if (!aws.endpoint.empty()) {
            line("aws:");
            line("  endpoint: {}", quoted(aws.endpoint));
        } else {
            line("# aws:");
        }
        line(
            "#   metrics: {{to: cloudwatch}}                          # `weir check` prints the "
            "estimate");
        line(
            "#   alarms: {{critical: [\"email:oncall@example.com\"]}}   # `weir alarms plan`, "
            "`weir "
            "alarms apply`");
    }

    void routes(const std::vector<InitRoute>& routes) {
        line("");
        line(
            "# A route lets a model's calls go to another Region while one is throttled or down. A "
            "model without a route works too, in its own Region.");
        const bool any = std::ranges::any_of(
            routes, [](const InitRoute& route) { return !route.targets.empty(); });
        line("routes:{}", any ? "" : " []");
        for (const InitRoute& route : routes) {
            this->route(route);
        }
    }

    void route(const InitRoute& route) {
        const bool any = !route.targets.empty();
        line("{}- model: {}", any ? "  " : "  # ", quoted(route.model));
        if (any) {
            line("    targets:");
        }
        for (const InitTarget& target : route.targets) {
            line("      - {{region: {}}}   # {} tokens, {} requests a minute", target.region,
                 quota_figure(target.tokens_per_minute), quota_figure(target.requests_per_minute));
        }
        for (const std::string& region : route.not_granted) {
            line("      # {}: the applied quota is 0; ask for it: weir quotas case {} --region {}",
                 region, route.model, region);
        }
    }

    const AccountFound& found_;
    std::string text_;
};

}  // namespace

std::vector<InitRoute> init_routes(const AccountFound& found) {
    std::vector<InitRoute> routes;
    for (const std::string& model : models_wanted(found)) {
        if (routes.size() < kMostRoutes) {
            if (auto route = route_of(found, model)) {
                routes.push_back(std::move(*route));
            }
        }
    }
    return routes.empty() && found.asked.empty() ? largest(found) : routes;
}

std::string init_yaml(const AccountFound& found, const std::vector<InitRoute>& routes) {
    return Yaml(found).write(routes);
}

std::vector<std::string> neighbours(const std::string& home,
                                    const std::vector<aws::InferenceProfile>& profiles) {
    std::set<std::string> found;
    for (const aws::InferenceProfile& profile : profiles) {
        if (!profile.application &&
            std::ranges::find(profile.destinations, home) != profile.destinations.end()) {
            found.insert(profile.destinations.begin(), profile.destinations.end());
        }
    }
    found.erase("");
    found.erase(home);
    std::vector<std::string> all(found.begin(), found.end());
    all.resize(std::min(all.size(), kMostNeighbours));
    return all;
}

}  // namespace weir::cli
