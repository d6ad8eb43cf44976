#include "cli/budget_doubts.h"

#include "gateway/bill.h"
#include "gateway/client_scope.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>

namespace weir::cli {
namespace {

constexpr std::size_t kMostNamed = 3;

bool has_price(const Config& config, const Target& at) {
    const auto price =
        gateway::price_of(config, at, at.tier == Tier::unset ? Tier::standard : at.tier, 0);
    return price.rates.input && price.rates.output;
}

/// Where routes may send the client's calls and nothing tells what they cost.
std::set<std::string> unpriced(const Config& config, const ClientConfig& client) {
    std::set<std::string> out;
    for (const RouteConfig& route : config.routes) {
        for (const RouteTarget& target : route.targets) {
            Target at;
            at.region = target.region;
            at.model = target.model.empty() ? route.model : target.model;
            at.endpoint = target.endpoint;
            at.tier = target.tier;
            at.account = plain_account(target.account);
            if (gateway::may_use_region(&client, at.region) &&
                gateway::may_use_model(config, &client, at.model, at.model) &&
                !has_price(config, at)) {
                out.insert(at.model);
            }
        }
    }
    return out;
}

}  // namespace

std::vector<Problem> budget_doubts(const Config& config) {
    std::vector<Problem> out;
    const bool keyed = std::ranges::any_of(config.clients, &ClientConfig::keyed);
    for (std::size_t i = 0; i < config.clients.size(); ++i) {
        const ClientConfig& client = config.clients[i];
        if (!client.budget) {
            continue;
        }
        const std::string path = fmt::format("clients[{}].budget", i);
        if (!keyed) {
            out.push_back({path,
                           "no client has a key, so callers name themselves: they can spend each "
                           "other's budget, or none"});
        }
        const auto models = unpriced(config, client);
        if (!models.empty()) {
            const auto named = std::min(models.size(), kMostNamed);
            std::string text = fmt::format(
                "{}",
                fmt::join(models.begin(),
                          std::next(models.begin(), static_cast<std::ptrdiff_t>(named)), ", "));
            if (models.size() > named) {
                text += fmt::format(" and {} more", models.size() - named);
            }
            out.push_back({path, fmt::format("without a price, so that their calls count nothing: "
                                             "{}; add them to `prices`",
                                             text)});
        }
    }
    return out;
}

}  // namespace weir::cli
