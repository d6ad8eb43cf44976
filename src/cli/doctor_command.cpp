#include "cli/doctor_command.h"

#include "cli/doctor_checks.h"
#include "cli/identities.h"
#include "cli/serving.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ostream>

namespace weir::cli {
namespace {

using nlohmann::ordered_json;

/// What routes ask for there.
std::vector<std::string> models_of(const Config& config, const Identity& identity) {
    std::vector<std::string> models;
    for (const RouteConfig& route : config.routes) {
        for (const RouteTarget& target : route.targets) {
            const std::string& model = target.model.empty() ? route.model : target.model;
            if (target.region == identity.region &&
                plain_account(target.account) == identity.account &&
                target.endpoint == Endpoint::runtime &&
                std::ranges::find(models, model) == models.end()) {
                models.push_back(model);
            }
        }
    }
    return models;
}

void print(std::ostream& out, const Identity& identity, const std::vector<Finding>& findings) {
    out << fmt::format("{} in {}\n", account_label(identity.account), identity.region);
    for (const Finding& finding : findings) {
        out << fmt::format("  {:<8} {:<18} {}\n", to_string(finding.verdict), finding.check,
                           finding.result);
        if (!finding.remedy.empty()) {
            out << fmt::format("  {:<8} {:<18} -> {}\n", "", "", finding.remedy);
        }
    }
}

ordered_json json_of(const Identity& identity, const std::vector<Finding>& findings) {
    ordered_json one{{"account", account_label(identity.account)},
                     {"region", identity.region},
                     {"checks", ordered_json::array()}};
    for (const Finding& finding : findings) {
        one["checks"].push_back(
            {{"check", finding.check},
             {"verdict", to_string(finding.verdict)},
             {"result", finding.result},
             {"remedy", finding.remedy.empty() ? ordered_json() : ordered_json(finding.remedy)}});
    }
    return one;
}

}  // namespace

int run_doctor(const std::string& config_path, bool json, const Getenv& getenv, std::ostream& out,
               std::ostream& err) {
    const LoadedConfig loaded = load_config(config_path, getenv, NamedFiles::upstream);
    if (!loaded.complaints.empty()) {
        err << problems(loaded) << '\n';
        return 2;
    }
    const Config& config = loaded.config;
    const std::atomic<bool> stop{false};
    bool well = true;
    ordered_json all = ordered_json::array();
    for (const Identity& identity : find_identities(config, stop)) {
        const auto findings = examine(identity, models_of(config, identity), config, stop);
        well = well && std::ranges::none_of(findings, [](const Finding& finding) {
                   return finding.verdict == Verdict::bad;
               });
        if (json) {
            all.push_back(json_of(identity, findings));
        } else {
            print(out, identity, findings);
        }
    }
    if (json) {
        out << all.dump(2, ' ', false, ordered_json::error_handler_t::replace) << '\n';
    }
    return well ? 0 : 1;
}

}  // namespace weir::cli
