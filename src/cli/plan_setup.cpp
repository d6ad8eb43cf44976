#include "cli/plan_setup.h"

#include "bedrock/model_data.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

namespace weir::cli {
namespace {

constexpr const char* kDefaultRegion = "us-east-1";
constexpr const char* kDefaultModel = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr std::uint64_t kMostQuota = 1'000'000'000'000;

std::optional<std::uint64_t> whole_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0 ||
        value > kMostQuota) {
        return std::nullopt;
    }
    return value;
}

std::optional<double> decimal(std::string_view text) {
    double value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc() || end != text.data() + text.size() || !(value >= 0)) {
        return std::nullopt;
    }
    return value;
}

/// Sets a limit for a model in every row that names it; a row of its own if there is none.
void set_quota(std::vector<QuotaConfig>& quotas, const std::string& model,
               std::optional<std::uint64_t> tokens, std::optional<std::uint64_t> requests) {
    bool found = false;
    for (QuotaConfig& quota : quotas) {
        if (std::ranges::any_of(quota.models, [&](const std::string& name) {
                return strip_arn(name) == strip_arn(model);
            })) {
            found = true;
            quota.tokens_per_minute = tokens ? tokens : quota.tokens_per_minute;
            quota.requests_per_minute = requests ? requests : quota.requests_per_minute;
        }
    }
    if (!found) {
        QuotaConfig quota;
        quota.models = {model};
        quota.tokens_per_minute = tokens;
        quota.requests_per_minute = requests;
        quotas.push_back(std::move(quota));
    }
}

/// MODEL=TPM or MODEL=TPM/RPM.
bool read_quota(const std::string& text, std::vector<QuotaConfig>& quotas) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0) {
        return false;
    }
    const std::string_view limits = std::string_view(text).substr(equals + 1);
    const std::size_t slash = limits.find('/');
    const auto tokens = whole_number(limits.substr(0, slash));
    const auto requests =
        slash == std::string_view::npos ? std::nullopt : whole_number(limits.substr(slash + 1));
    if (!tokens || (slash != std::string_view::npos && !requests)) {
        return false;
    }
    set_quota(quotas, text.substr(0, equals), tokens, requests);
    return true;
}

/// REGION:FROM-TO, in seconds.
std::optional<plan::Outage> read_outage(const std::string& text) {
    const std::size_t colon = text.find(':');
    const std::size_t dash = colon == std::string::npos ? colon : text.find('-', colon);
    if (dash == std::string::npos) {
        return std::nullopt;
    }
    const auto from = decimal(std::string_view(text).substr(colon + 1, dash - colon - 1));
    const auto to = decimal(std::string_view(text).substr(dash + 1));
    if (!from || !to || *from >= *to || *to > 31.0 * 86'400) {
        return std::nullopt;
    }
    return plan::Outage{text.substr(0, colon), from_seconds(*from), from_seconds(*to), false};
}

Result<Config> read_config(const PlanOptions& options, const Getenv& getenv) {
    if (options.config.empty()) {
        Config config;
        config.regions[kDefaultRegion] = {};
        config.default_region = kDefaultRegion;
        config.models = bedrock::builtin_models();
        return config;
    }
    LoadedConfig loaded = load_config(options.config, getenv);
    std::string problems;
    for (const Complaint& complaint : loaded.complaints) {
        problems += (problems.empty() ? "" : "\n") + to_string(complaint);
    }
    if (!problems.empty()) {
        return failure(problems);
    }
    return std::move(loaded.config);
}

/// A trace does not say which calls could go to bedrock-mantle, and the model of the service has
/// one quota a model and Region: what counts input and output apart is left out. Returns how much.
std::size_t leave_out_apart(Config& config) {
    std::size_t gone = std::erase_if(config.quotas, [](const QuotaConfig& q) { return q.apart(); });
    for (RouteConfig& route : config.routes) {
        gone += std::erase_if(route.targets, [](const RouteTarget& target) {
            return target.endpoint == Endpoint::mantle || target.tier == Tier::reserved;
        });
    }
    std::erase_if(config.routes, [](const RouteConfig& route) { return route.targets.empty(); });
    return gone;
}

/// Of rows that name no model: the option's, else the first that the configuration knows.
std::string default_model(const PlanOptions& options, const Config& config) {
    if (!options.calls.model.empty()) {
        return options.calls.model;
    }
    if (!config.routes.empty()) {
        return config.routes.front().model;
    }
    return config.quotas.empty() ? kDefaultModel : config.quotas.front().models.front();
}

Result<void> read_trouble(const char* option, const std::vector<std::string>& texts, bool spell,
                          plan::Scenario& scenario) {
    for (const std::string& text : texts) {
        auto outage = read_outage(text);
        if (!outage) {
            return failure(
                fmt::format("{}: \"{}\" is none; allowed is REGION:FROM-TO in "
                            "seconds since the first call, such as us-east-1:600-900",
                            option, text.substr(0, 60)));
        }
        const auto& regions = scenario.config.regions;
        if (!regions.contains(outage->region) && outage->region != scenario.home_region) {
            std::string known = scenario.home_region;
            for (const auto& [name, region] : regions) {
                known += name == scenario.home_region ? "" : ", " + name;
            }
            return failure(
                fmt::format("{}: \"{}\" is no Region of this configuration; allowed "
                            "are {}",
                            option, outage->region.substr(0, 40), known));
        }
        outage->spell = spell;
        scenario.service.outages.push_back(*outage);
    }
    return {};
}

constexpr std::size_t kMostInstances = 10'000;

Result<void> read_instances(const PlanOptions& options, plan::Scenario& scenario) {
    if (options.instances.count < 1 || options.instances.count > kMostInstances) {
        return failure(fmt::format("--instances: {} is out of range; allowed is 1 to {}",
                                   options.instances.count, kMostInstances));
    }
    scenario.instances = options.instances.count;
    scenario.by_client = options.instances.shares == "clients";
    std::string_view rest;
    if (!scenario.by_client) {
        rest = options.instances.shares;
    }
    double sum = 0;
    while (!rest.empty()) {
        const std::string_view part = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
        double share = -1;
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), share);
        if (error != std::errc() || end != part.data() + part.size() || share < 0) {
            return failure(
                fmt::format("--instance-shares: \"{}\" is no share; allowed are numbers "
                            "from 0, such as 70,10,10,10, or the word clients",
                            part.substr(0, 40)));
        }
        scenario.weights.push_back(share);
        sum += share;
    }
    if (!scenario.weights.empty() &&
        (scenario.weights.size() != options.instances.count || sum <= 0)) {
        return failure(
            fmt::format("--instance-shares: {} shares for {} instances; allowed is one "
                        "for each, not all zero",
                        scenario.weights.size(), options.instances.count));
    }
    const auto latency = parse_duration(options.instances.store_latency);
    if (!latency || *latency < Duration::zero()) {
        return failure(
            fmt::format("--store-latency: \"{}\" is no duration; allowed are 0us and "
                        "more",
                        options.instances.store_latency.substr(0, 40)));
    }
    scenario.store_latency = *latency;
    return {};
}

Result<void> read_options(const PlanOptions& options, plan::Scenario& scenario) {
    const auto duration = [](const std::string& name, const std::string& text, Duration& to,
                             Duration least) -> Result<void> {
        const auto value = parse_duration(text);
        if (!value || *value < least || *value > std::chrono::hours(24)) {
            return failure(
                fmt::format("--{}: \"{}\" is no such time; allowed are {} to 24h, such as "
                            "400ms or 60s",
                            name, text.substr(0, 40), format_duration(least)));
        }
        to = *value;
        return {};
    };
    const Duration ms = std::chrono::milliseconds(1);
    if (auto good = duration("deadline", options.calls.deadline, scenario.deadline, ms); !good) {
        return good;
    }
    plan::ServiceSetup& service = scenario.service;
    if (auto good = duration("ttft", options.service.ttft, service.first_token, ms); !good) {
        return good;
    }
    const auto window = plan::parse_shape(options.service.window);
    if (!window) {
        return failure("--window: " + window.error().message);
    }
    service.window = *window;
    service.window.length = scenario.config.quota_window;
    if (window->shape == plan::Shape::bucket) {
        const double minutes = to_seconds(window->burst) / 60;
        service.window.burst = from_seconds(minutes * to_seconds(scenario.config.quota_window));
    }
    if (auto good = read_trouble("--outage", options.service.outages, false, scenario); !good) {
        return good;
    }
    if (auto good = read_trouble("--spell", options.service.spells, true, scenario); !good) {
        return good;
    }
    service.count_refusals = options.service.count_refusals;
    service.foreign = options.service.foreign;
    service.tokens_per_second = options.service.tokens_per_second;
    service.seed = options.seed;
    scenario.seed = options.seed;
    if (auto good = read_instances(options, scenario); !good) {
        return good;
    }
    scenario.estimate_spread = options.calls.estimate_spread;
    scenario.default_max_tokens = options.calls.max_tokens;
    return {};
}

/// The quotas of which the trace's mean demand is `load` times.
void fit_quotas(const plan::Scenario& scenario, const plan::Survey& survey, double load,
                std::vector<QuotaConfig>& quotas) {
    std::map<std::string, std::pair<std::string, double>> pools;  // name -> a model, demand
    for (std::uint32_t number = 0; number < survey.models.size(); ++number) {
        if (survey.models[number].calls > 0) {
            const std::string& model = scenario.model_of(number);
            auto& [one, demand] = pools[plan::pool_name(quotas, scenario.home_region, model)];
            one = model;
            demand += static_cast<double>(survey.models[number].settled) *
                      to_seconds(scenario.service.window.length) / (survey.minutes() * 60);
        }
    }
    for (const auto& [name, pool] : pools) {
        const double tokens = std::ceil(std::max(1.0, pool.second / load));
        set_quota(quotas, pool.first, static_cast<std::uint64_t>(tokens), std::nullopt);
    }
}

/// What the engine is told of the quotas: everything, or no limit at all.
std::vector<QuotaConfig> told(const std::vector<QuotaConfig>& quotas, bool learn) {
    std::vector<QuotaConfig> rows = quotas;
    if (learn) {
        for (QuotaConfig& row : rows) {
            row.requests_per_minute.reset();
            row.tokens_per_minute.reset();
            row.tokens_per_day.reset();
        }
        std::erase_if(rows, [](const QuotaConfig& row) {
            return !row.output_burndown && !row.reserve_burndown;
        });
    }
    return rows;
}

}  // namespace

Result<PlanSetup> set_up_plan(const PlanOptions& options, const Getenv& getenv) {
    if (options.service.load && !options.service.quotas.empty()) {
        return failure("--load and --quota both set the quota; allowed is one of them");
    }
    auto config = read_config(options, getenv);
    if (!config) {
        return std::unexpected(config.error());
    }
    PlanSetup setup;
    plan::Scenario& scenario = setup.scenario;
    scenario.names = setup.names.get();
    scenario.config = std::move(*config);
    setup.left_out = leave_out_apart(scenario.config);
    scenario.home_region = !scenario.config.default_region.empty() ? scenario.config.default_region
                           : scenario.config.regions.empty()
                               ? kDefaultRegion
                               : scenario.config.regions.begin()->first;
    scenario.default_model = default_model(options, scenario.config);
    if (auto good = read_options(options, scenario); !good) {
        return std::unexpected(good.error());
    }
    plan::ServiceSetup& service = scenario.service;
    service.models = scenario.config.models;
    service.quotas = scenario.config.quotas;
    for (const std::string& text : options.service.quotas) {
        if (!read_quota(text, service.quotas)) {
            return failure(
                fmt::format("--quota: \"{}\" is none; allowed is MODEL=TOKENS or "
                            "MODEL=TOKENS/REQUESTS a minute, whole numbers from 1",
                            text.substr(0, 80)));
        }
    }
    plan::TraceOptions trace;
    trace.name = options.calls.trace;
    if (!options.calls.sort_window.empty()) {
        const auto window = parse_duration(options.calls.sort_window);
        if (!window || *window < Duration::zero() || *window > std::chrono::hours(24)) {
            return failure(
                fmt::format("--sort-window: \"{}\" is no such time; allowed are 0s to 24h",
                            options.calls.sort_window.substr(0, 40)));
        }
        trace.sort_window = *window;
    }
    scenario.open = [trace, names = setup.names.get()]() -> Result<plan::TraceReader> {
        auto file = std::make_unique<std::ifstream>(trace.name, std::ios::binary);
        // A folder opens and reads as empty; a look ahead tells.
        if (!*file || (file->peek() == std::ifstream::traits_type::eof() && file->bad())) {
            return failure(trace.name + ": cannot be read; allowed is a file");
        }
        return plan::TraceReader(std::move(file), trace, *names);
    };
    auto survey = plan::survey(scenario);
    if (!survey) {
        return failure(survey.error().message);
    }
    setup.survey = std::move(*survey);
    if (setup.survey.all.calls == 0) {
        return failure(options.calls.trace + ": holds no call");
    }
    if (options.service.load) {
        fit_quotas(scenario, setup.survey, *options.service.load, service.quotas);
    }
    const auto calls = static_cast<double>(setup.survey.all.calls);
    service.foreign_sizes = {
        static_cast<double>(setup.survey.all.input) / calls,
        static_cast<double>(setup.survey.all.output) / calls,
        static_cast<std::uint64_t>(static_cast<double>(setup.survey.all.max_tokens) / calls)};
    service.span = setup.survey.span;
    scenario.config.quotas = told(service.quotas, options.learn);
    std::string problems;
    for (const Problem& problem : validate(scenario.config)) {
        problems += (problems.empty() ? "" : "\n") + problem.path + ": " + problem.message;
    }
    if (!problems.empty()) {
        return failure(problems);
    }
    return setup;
}

}  // namespace weir::cli
