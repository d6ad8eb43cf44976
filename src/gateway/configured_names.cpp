#include "gateway/configured_names.h"

#include <set>

namespace weir::gateway {

std::vector<std::string> model_labels(const Config& config) {
    std::vector<std::string> models;
    for (const auto& route : config.routes) {
        models.push_back(route.model);
        for (const auto& target : route.targets) {
            if (!target.model.empty()) {
                models.push_back(target.model);
            } else if (target.endpoint == Endpoint::mantle) {
                models.emplace_back(split_model(route.model).base);
            }
        }
    }
    for (const auto& quota : config.quotas) {
        models.insert(models.end(), quota.models.begin(), quota.models.end());
    }
    return models;
}

std::vector<std::string> client_labels(const Config& config) {
    std::vector<std::string> clients;
    clients.reserve(config.clients.size());
    for (const auto& client : config.clients) {
        clients.push_back(client.name);
    }
    return clients;
}

observe::LedgerLimits ledger_limits(const Config& config) {
    observe::LedgerLimits limits;
    limits.days = config.costs.days;
    limits.tags = config.costs.tags;
    return limits;
}

std::vector<std::string> trusted_files(const Config& config) {
    std::set<std::string> files;
    for (const auto& [name, region] : config.regions) {
        if (!region.ca.empty() || region.endpoint.empty() ||
            region.endpoint.starts_with("https:")) {
            files.insert(region.ca);
        }
    }
    if (config.regions.empty()) {
        files.emplace();
    }
    if (config.shared && config.shared->url.starts_with("rediss:")) {
        files.insert(config.shared->ca);
    }
    return {files.begin(), files.end()};
}

std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

}  // namespace weir::gateway
