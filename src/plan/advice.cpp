#include "plan/advice.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

namespace weir::plan {
namespace {

constexpr std::size_t kMostClients = 200;

/// Models that Bedrock offers, without a geo prefix; what they cost stands in the model table.
constexpr std::array<std::string_view, 9> kOffered{"anthropic.claude-sonnet-4-5-20250929-v1:0",
                                                   "anthropic.claude-haiku-4-5-20251001-v1:0",
                                                   "anthropic.claude-opus-4-7",
                                                   "amazon.nova-pro-v1:0",
                                                   "amazon.nova-premier-v1:0",
                                                   "amazon.nova-lite-v1:0",
                                                   "meta.llama3-3-70b-instruct-v1:0",
                                                   "mistral.mistral-large-2407-v1:0",
                                                   "openai.gpt-oss-120b-1:0"};

/// Behind a larger one, the first that is not the model itself.
constexpr std::array<std::string_view, 2> kSmall{"anthropic.claude-haiku-4-5-20251001-v1:0",
                                                 "amazon.nova-lite-v1:0"};

struct Neighbours {
    std::string_view region;
    std::string_view neighbour;
};
constexpr std::array<Neighbours, 12> kNeighbours{{{"us-east-1", "us-west-2"},
                                                  {"us-east-2", "us-west-2"},
                                                  {"us-west-1", "us-west-2"},
                                                  {"us-west-2", "us-east-1"},
                                                  {"eu-central-1", "eu-west-1"},
                                                  {"eu-west-1", "eu-central-1"},
                                                  {"eu-west-3", "eu-central-1"},
                                                  {"eu-north-1", "eu-central-1"},
                                                  {"ap-northeast-1", "ap-southeast-2"},
                                                  {"ap-southeast-1", "ap-southeast-2"},
                                                  {"ap-southeast-2", "ap-northeast-1"},
                                                  {"ap-south-1", "ap-southeast-1"}}};

double mean(double sum, std::uint64_t count) {
    return count > 0 ? sum / static_cast<double>(count) : 0;
}

QuotaAdvice advise_quota(const Scenario& scenario, const Survey& survey, std::uint32_t model) {
    QuotaAdvice advice;
    advice.model = scenario.model_of(model);
    const auto in_a_minute = [scale = survey.to_a_minute()](std::uint64_t seen) {
        return static_cast<std::uint64_t>(std::llround(static_cast<double>(seen) * scale));
    };
    for (const Use& use : survey.uses) {
        if (use.model == model) {
            advice.clients.push_back({scenario.names->name(use.client), use.demand.calls,
                                      in_a_minute(use.demand.peak_calls),
                                      in_a_minute(use.demand.peak_settled)});
            advice.sum_calls += advice.clients.back().peak_calls;
            advice.sum_tokens += advice.clients.back().peak_tokens;
        }
    }
    std::ranges::sort(advice.clients, [](const auto& a, const auto& b) {
        return a.peak_tokens != b.peak_tokens ? a.peak_tokens > b.peak_tokens : a.name < b.name;
    });
    if (advice.clients.size() > kMostClients) {
        QuotaAdvice::Client rest{"other", 0, 0, 0};
        for (std::size_t i = kMostClients; i < advice.clients.size(); ++i) {
            rest.calls += advice.clients[i].calls;
            rest.peak_calls += advice.clients[i].peak_calls;
            rest.peak_tokens += advice.clients[i].peak_tokens;
        }
        advice.clients.resize(kMostClients);
        advice.clients.push_back(rest);
    }
    advice.ask_calls = round_up(kQuotaMargin * static_cast<double>(advice.sum_calls));
    advice.ask_tokens = round_up(kQuotaMargin * static_cast<double>(advice.sum_tokens));
    return advice;
}

MaxTokensAdvice advise_max_tokens(const Scenario& scenario, const Survey& survey,
                                  std::uint32_t model) {
    const Demand& demand = survey.models[model];
    MaxTokensAdvice advice;
    advice.model = scenario.model_of(model);
    advice.mean_max_tokens = mean(static_cast<double>(demand.max_tokens), demand.calls);
    advice.mean_input = mean(static_cast<double>(demand.input + demand.cached), demand.calls);
    advice.mean_settled = mean(static_cast<double>(demand.settled), demand.calls);
    advice.mean_service_seconds = mean(demand.service_seconds, demand.calls);
    advice.output_p999 = survey.outputs[model].quantile(0.999);
    advice.enough = std::max<std::uint64_t>(1, round_up(kMaxTokensMargin * advice.output_p999));
    advice.usable = usable_share(advice.mean_settled, advice.mean_service_seconds,
                                 advice.mean_max_tokens, advice.mean_input);
    advice.usable_then = usable_share(
        advice.mean_settled, advice.mean_service_seconds,
        std::min(advice.mean_max_tokens, static_cast<double>(advice.enough)), advice.mean_input);
    return advice;
}

void advise_models(const Scenario& scenario, const Survey& survey, std::uint32_t model,
                   Advice& advice) {
    const Demand& demand = survey.models[model];
    const std::string& now = scenario.model_of(model);
    const ModelName name = split_model(now);
    const ModelFacts facts = scenario.service.models.facts(now);
    const double input = static_cast<double>(demand.input) / survey.minutes();
    const double output = static_cast<double>(demand.output) / survey.minutes();
    advice.busiest = now;
    advice.busiest_context = facts.context;
    advice.busiest_tokens_per_minute = static_cast<double>(demand.settled) / survey.minutes();
    advice.busiest_burndown = output > 0 ? static_cast<std::uint32_t>(std::lround(
                                               (advice.busiest_tokens_per_minute - input) / output))
                                         : facts.output_burndown;
    advice.largest_input = demand.largest_input;
    const bool needs_context =
        static_cast<double>(demand.largest_input) > 0.8 * static_cast<double>(facts.context);
    for (const std::string_view base : kOffered) {
        const ModelFacts other = scenario.service.models.facts(base);
        const bool larger = needs_context && other.context > facts.context;
        const bool cheaper = other.output_burndown < advice.busiest_burndown;
        if (base == name.base || other.context < demand.largest_input || !(cheaper || larger)) {
            continue;
        }
        ModelAdvice row{std::string(base), other.output_burndown, other.context, 0, 1};
        row.tokens_per_minute = input + other.output_burndown * output;
        row.of_now = row.tokens_per_minute / std::max(1.0, advice.busiest_tokens_per_minute);
        advice.models.push_back(row);
    }
    std::ranges::sort(advice.models, {},
                      [](const ModelAdvice& row) { return std::tie(row.of_now, row.model); });
}

/// The models that the trace asks for.
std::vector<std::string> models_of(const Scenario& scenario, const Survey& survey) {
    std::vector<std::string> models;
    for (std::uint32_t number = 0; number < survey.models.size(); ++number) {
        if (survey.models[number].calls > 0) {
            models.push_back(scenario.model_of(number));
        }
    }
    return models;
}

/// A model's route; made if there is none, as the engine understands its absence.
RouteConfig& route_of(Scenario& scenario, const std::string& model) {
    auto& routes = scenario.config.routes;
    const auto route = std::ranges::find_if(
        routes, [&](const RouteConfig& r) { return strip_arn(r.model) == strip_arn(model); });
    if (route != routes.end()) {
        return *route;
    }
    RouteConfig fresh;
    fresh.model = model;
    fresh.targets.push_back({scenario.home_region, ""});
    routes.push_back(std::move(fresh));
    return routes.back();
}

/// Residency, or keys that are good in one Region, may forbid what was added.
std::optional<Wider> checked(Wider wider, bool changed) {
    if (!changed || !validate(wider.scenario.config).empty()) {
        return std::nullopt;
    }
    return wider;
}

}  // namespace

std::uint64_t round_up(double value) {
    if (!(value > 0)) {
        return 0;
    }
    const double unit = std::pow(10, std::max(0.0, std::floor(std::log10(value)) - 1));
    return static_cast<std::uint64_t>(std::llround(std::ceil(value / unit - 1e-9) * unit));
}

double usable_share(double settled, double service_seconds, double max_tokens, double input) {
    const double in_vain = service_seconds * std::max(0.0, max_tokens + input - settled);
    return settled > 0 ? 60 * settled / (60 * settled + in_vain) : 1;
}

Advice advise(const Scenario& scenario, const Survey& survey) {
    Advice advice;
    std::optional<std::uint32_t> busiest;
    for (std::uint32_t model = 0; model < survey.models.size(); ++model) {
        if (survey.models[model].calls == 0) {
            continue;
        }
        advice.quotas.push_back(advise_quota(scenario, survey, model));
        advice.max_tokens.push_back(advise_max_tokens(scenario, survey, model));
        if (!busiest || survey.models[model].settled > survey.models[*busiest].settled) {
            busiest = model;
        }
    }
    if (busiest) {
        advise_models(scenario, survey, *busiest, advice);
    }
    return advice;
}

std::string neighbour_of(const std::string& region) {
    for (const Neighbours& pair : kNeighbours) {
        if (pair.region == region) {
            return std::string(pair.neighbour);
        }
    }
    const std::string continent = region.substr(0, region.find('-') + 1);
    for (const Neighbours& pair : kNeighbours) {
        if (pair.region.starts_with(continent)) {
            return std::string(pair.region);
        }
    }
    return {};
}

std::optional<Wider> with_second_region(const Scenario& scenario, const Survey& survey) {
    const std::string region = neighbour_of(scenario.home_region);
    if (region.empty()) {
        return std::nullopt;
    }
    Wider wider{scenario, region};
    bool changed = false;
    for (const std::string& model : models_of(scenario, survey)) {
        RouteConfig& route = route_of(wider.scenario, model);
        const bool one = std::ranges::all_of(route.targets, [&](const RouteTarget& target) {
            return target.region == route.targets.front().region;
        });
        if (one && route.targets.front().region != region) {
            // The same model elsewhere comes before another model.
            const RouteTarget there{region, route.targets.front().model};
            route.targets.insert(route.targets.begin() + 1, there);
            changed = true;
        }
    }
    wider.scenario.config.regions.try_emplace(region);
    // A quota given for the first Region alone is taken to be granted in the second as well.
    for (auto* quotas : {&wider.scenario.config.quotas, &wider.scenario.service.quotas}) {
        const std::vector<QuotaConfig> there = *quotas;
        for (QuotaConfig quota : there) {
            if (quota.region == scenario.home_region &&
                quota_of(there, region, quota.models.front()) == nullptr) {
                quota.region = region;
                quotas->push_back(quota);
            }
        }
    }
    return checked(std::move(wider), changed);
}

std::optional<Wider> with_fallback(const Scenario& scenario, const Survey& survey) {
    Wider wider{scenario, {}};
    bool changed = false;
    for (const std::string& model : models_of(scenario, survey)) {
        const ModelName name = split_model(model);
        std::string small;
        for (const std::string_view base : kSmall) {
            if (small.empty() && base != name.base) {
                small = name.geo.empty() ? std::string(base)
                                         : std::string(name.geo) + "." + std::string(base);
            }
        }
        RouteConfig& route = route_of(wider.scenario, model);
        const bool alone = std::ranges::all_of(route.targets, [&](const RouteTarget& target) {
            return target.model.empty() || strip_arn(target.model) == strip_arn(model);
        });
        if (!alone) {
            continue;
        }
        route.targets.push_back({scenario.home_region, small});
        changed = true;
        if (wider.added.find(small) == std::string::npos) {
            wider.added += (wider.added.empty() ? "" : ", ") + small;
        }
        for (auto* quotas : {&wider.scenario.config.quotas, &wider.scenario.service.quotas}) {
            const QuotaConfig* own = quota_of(*quotas, scenario.home_region, model);
            if (own == nullptr || quota_of(*quotas, scenario.home_region, small) != nullptr) {
                continue;
            }
            QuotaConfig quota;
            quota.models = {small};
            quota.requests_per_minute = own->requests_per_minute;
            quota.tokens_per_minute = own->tokens_per_minute;
            if (quota.requests_per_minute || quota.tokens_per_minute) {
                quotas->push_back(std::move(quota));
            }
        }
    }
    return checked(std::move(wider), changed);
}

}  // namespace weir::plan
