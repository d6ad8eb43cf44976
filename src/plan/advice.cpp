#include "plan/advice.h"

#include <algorithm>
#include <array>
#include <cmath>

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
    for (const Use& use : survey.uses) {
        if (use.model == model) {
            advice.clients.push_back({scenario.names->name(use.client), use.demand.calls,
                                      use.demand.peak_calls, use.demand.peak_settled});
            advice.sum_calls += use.demand.peak_calls;
            advice.sum_tokens += use.demand.peak_settled;
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
    std::ranges::stable_sort(advice.models, {}, &ModelAdvice::of_now);
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

std::optional<Scenario> with_second_region(const Scenario& scenario, const Survey& survey,
                                           std::string& region) {
    region = neighbour_of(scenario.home_region);
    if (region.empty()) {
        return std::nullopt;
    }
    Scenario wider = scenario;
    bool changed = false;
    for (std::uint32_t number = 0; number < survey.models.size(); ++number) {
        if (survey.models[number].calls == 0) {
            continue;
        }
        const std::string& model = scenario.model_of(number);
        auto& routes = wider.config.routes;
        auto route = std::ranges::find_if(
            routes, [&](const RouteConfig& r) { return strip_arn(r.model) == strip_arn(model); });
        if (route == routes.end()) {
            RouteConfig fresh;
            fresh.model = model;
            fresh.targets.push_back({scenario.home_region, ""});
            routes.push_back(std::move(fresh));
            route = routes.end() - 1;
        }
        const bool one = std::ranges::all_of(route->targets, [&](const RouteTarget& target) {
            return target.region == route->targets.front().region;
        });
        if (one && route->targets.front().region != region) {
            const auto at = route->targets.begin() + 1;
            route->targets.insert(at, {region, route->targets.front().model});
            changed = true;
        }
    }
    if (!changed) {
        return std::nullopt;
    }
    wider.config.regions.try_emplace(region);
    // A quota given for the first Region alone is taken to be granted in the second as well.
    for (auto* quotas : {&wider.config.quotas, &wider.service.quotas}) {
        const std::vector<QuotaConfig> there = *quotas;
        for (QuotaConfig quota : there) {
            if (quota.region == scenario.home_region &&
                quota_of(there, region, quota.models.front()) == nullptr) {
                quota.region = region;
                quotas->push_back(quota);
            }
        }
    }
    if (!validate(wider.config).empty()) {
        return std::nullopt;  // residency, or keys that are good in one Region
    }
    return wider;
}

}  // namespace weir::plan
