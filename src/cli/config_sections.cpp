#include "cli/config_sections.h"

#include <algorithm>

namespace weir::cli {

namespace {

void read_credentials(Reading& reading, const YamlNode* node, const std::string& path,
                      CredentialsConfig& out) {
    MapReader map(reading, node, path);
    map.choice<CredentialsSource>("source", out.source,
                                  {{"default", CredentialsSource::default_chain},
                                   {"static", CredentialsSource::static_keys},
                                   {"bearer", CredentialsSource::bearer},
                                   {"client_bearer", CredentialsSource::client_bearer}});
    map.text("access_key_id", out.access_key_id);
    map.text("secret_access_key", out.secret_access_key);
    map.text("session_token", out.session_token);
    map.text("bearer_token", out.bearer_token);
    map.text("profile", out.profile);
    for (const std::string& secret : {out.secret_access_key, out.session_token, out.bearer_token})
        reading.complaints.hide(secret, "(a secret)");
}

void read_regions(MapReader& root, Config& config) {
    for (const auto& [name, node] : root.entries("regions", "Regions, `us-east-1: {}`")) {
        const std::string path = join("regions", name);
        RegionConfig region;
        MapReader map(root.reading(), node, path);
        map.text("endpoint", region.endpoint);
        map.text("mantle_endpoint", region.mantle_endpoint);
        map.text("control_endpoint", region.control_endpoint);
        map.text("ca", region.ca);
        map.text("proxy", region.proxy);
        if (const YamlNode* credentials = map.find("credentials")) {
            region.credentials.emplace();
            read_credentials(root.reading(), credentials, join(path, "credentials"),
                             *region.credentials);
        }
        config.regions[name] = std::move(region);
    }
}

/// `NAME: TEXT` entries; `what` is what a text must be.
void read_names(MapReader& map, std::string_view key, std::string_view entries,
                std::string_view what, std::map<std::string, std::string>& out) {
    for (const auto& [name, node] : map.entries(key, entries)) {
        const std::string path = join(map.path(key), name);
        if (node->unresolved)
            continue;
        if (node->kind != YamlNode::Kind::scalar)
            map.reading().spoil(path, node->place, "`" + path + "` must be " + std::string(what));
        else
            out[name] = node->text;
    }
}

std::string resolve(const Config& config, const std::string& model) {
    const auto found = config.aliases.find(model);
    return found == config.aliases.end() ? model : found->second;
}

const Choices<Endpoint> kEndpoints = {{"runtime", Endpoint::runtime}, {"mantle", Endpoint::mantle}};
const Choices<Mode> kModes = {{"enforce", Mode::enforce}, {"observe", Mode::observe}};

void read_quotas(MapReader& root, Config& config) {
    const auto& items = root.list("quotas", "maps, each with `model`");
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::string path = at("quotas", i);
        QuotaConfig quota;
        MapReader map(root.reading(), &items[i], path);
        map.texts("models", quota.models);
        const YamlNode* model = map.find("model");
        if (model != nullptr && map.has("models")) {
            root.reading().spoil(join(path, "model"), model->place,
                                 "`model` and `models` both; allowed is one of them");
        } else if (model != nullptr) {
            std::string name;
            map.text("model", name);
            quota.models = {name};
            root.reading().places[at(join(path, "models"), 0)] = model->place;
            if (root.reading().is_spoilt(join(path, "model")))
                root.reading().spoilt.insert(join(path, "models"));
        }
        for (std::string& name : quota.models)
            name = resolve(config, name);
        map.text("region", quota.region);
        map.choice<Endpoint>("endpoint", quota.endpoint, kEndpoints);
        map.choice<bool>("tier", quota.reserved, {{"reserved", true}});
        map.count("requests_per_minute", quota.requests_per_minute);
        map.count("tokens_per_minute", quota.tokens_per_minute);
        map.count("tokens_per_day", quota.tokens_per_day);
        map.count("max_in_flight", quota.max_in_flight);
        map.count("input_tokens_per_minute", quota.input_tokens_per_minute);
        map.count("output_tokens_per_minute", quota.output_tokens_per_minute);
        map.count("output_burndown", quota.output_burndown);
        map.flag("reserve_burndown", quota.reserve_burndown);
        config.quotas.push_back(std::move(quota));
    }
}

RouteTarget read_target(Reading& reading, const YamlNode& node, const std::string& path) {
    MapReader map(reading, &node, path);
    RouteTarget target;
    map.text("region", target.region);
    map.text("model", target.model);
    map.count("weight", target.weight);
    map.choice<Endpoint>("endpoint", target.endpoint, kEndpoints);
    map.choice<Tier>("tier", target.tier,
                     {{"priority", Tier::priority},
                      {"default", Tier::standard},
                      {"flex", Tier::flex},
                      {"reserved", Tier::reserved}});
    map.choice<ApiPath>("path", target.path,
                        {{"/v1", ApiPath::v1}, {"/openai/v1", ApiPath::openai_v1}});
    read_names(map, "guardrails", "guardrails, `theirs: ours`", "a guardrail's id or ARN",
               target.guardrails);
    read_names(map, "profiles", "profiles, `\"arn:...\": \"arn:...\"`", "an ARN or model id",
               target.profiles);
    return target;
}

void read_routes(MapReader& root, Config& config) {
    const auto& items = root.list("routes", "maps, each with `model` and `targets`");
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::string path = at("routes", i);
        RouteConfig route;
        MapReader map(root.reading(), &items[i], path);
        map.text("model", route.model);
        route.model = resolve(config, route.model);
        const auto& targets = map.list("targets", "maps, each with `region`");
        for (std::size_t j = 0; j < targets.size(); ++j) {
            route.targets.push_back(
                read_target(root.reading(), targets[j], at(join(path, "targets"), j)));
        }
        map.duration("spill_after", route.spill_after);
        map.duration("degrade_after", route.degrade_after);
        map.text("residency", route.residency);
        if (map.has("mode")) {
            route.mode = Mode::enforce;
            map.choice<Mode>("mode", *route.mode, kModes);
        }
        map.flag("right_size", route.right_size);
        map.count("max_output", route.max_output);
        config.routes.push_back(std::move(route));
    }
}

void to_lower(std::string& text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
}

void read_clients(MapReader& root, Config& config) {
    const auto& items = root.list("clients", "maps, each with `name`");
    for (std::size_t i = 0; i < items.size(); ++i) {
        ClientConfig client;
        MapReader map(root.reading(), &items[i], at("clients", i));
        map.text("name", client.name);
        map.texts("key_sha256", client.key_sha256, true);
        std::ranges::for_each(client.key_sha256, to_lower);
        map.text("access_key_id", client.access_key_id);
        map.text("secret_access_key", client.secret_access_key);
        root.reading().complaints.hide(client.secret_access_key, "(a secret)");
        map.choice<Priority>("priority", client.priority,
                             {{"interactive", Priority::interactive},
                              {"standard", Priority::standard},
                              {"batch", Priority::batch}});
        map.number("share", client.share);
        map.count("tokens_per_minute", client.tokens_per_minute);
        map.count("requests_per_minute", client.requests_per_minute);
        map.count("max_in_flight", client.max_in_flight);
        map.count("max_output", client.max_output);
        map.texts("models", client.models);
        map.texts("regions", client.regions);
        config.clients.push_back(std::move(client));
    }
}

void read_retry_and_breaker(MapReader& root, Config& config) {
    const Choices<Preset> presets = {{"weir", Preset::weir}, {"article", Preset::article}};
    {
        RetryConfig& out = config.retry;
        MapReader map(root.reading(), root.find("retry"), "retry");
        map.choice<Preset>("preset", out.preset, presets);
        map.count("max_attempts", out.max_attempts);
        map.duration("base_delay", out.base_delay);
        map.duration("max_delay", out.max_delay);
        map.choice<Jitter>("jitter", out.jitter, {{"full", Jitter::full}, {"none", Jitter::none}});
        map.number("budget", out.budget);
        map.flag("repeat_timeouts", out.repeat_timeouts);
    }
    BreakerConfig& out = config.breaker;
    MapReader map(root.reading(), root.find("breaker"), "breaker");
    map.choice<Preset>("preset", out.preset, presets);
    map.count("failures", out.failures);
    map.number("failure_share", out.failure_share);
    map.duration("window", out.window);
    map.duration("open_for", out.open_for);
    map.duration("max_open", out.max_open);
    map.count("probes", out.probes);
}

void read_times_and_bounds(MapReader& root, Config& config) {
    {
        QueueConfig& out = config.queue;
        MapReader map(root.reading(), root.find("queue"), "queue");
        map.duration("deadline", out.deadline);
        map.duration("max_wait", out.max_wait);
        map.duration("target_wait", out.target_wait);
        map.count("max_waiting", out.max_waiting);
        map.text("order", out.order);
    }
    {
        TimeoutsConfig& out = config.timeouts;
        MapReader map(root.reading(), root.find("timeouts"), "timeouts");
        map.duration("connect", out.connect);
        map.duration("first_event", out.first_event);
        map.duration("hold", out.hold);
        map.duration("idle", out.idle);
        map.duration("answer", out.answer);
        map.duration("client_head", out.client_head);
        map.duration("client_idle", out.client_idle);
        map.duration("drain_delay", out.drain_delay);
        map.duration("drain", out.drain);
        map.duration("interim_100", out.interim_100);
    }
    {
        PoolConfig& out = config.pool;
        MapReader map(root.reading(), root.find("pool"), "pool");
        map.count("max_connections", out.max_connections);
        map.duration("idle", out.idle);
        map.duration("keepalive", out.keepalive);
    }
    LimitsConfig& out = config.limits;
    MapReader map(root.reading(), root.find("limits"), "limits");
    map.size("max_body", out.max_body);
    map.size("max_buffered", out.max_buffered);
    map.count("max_connections", out.max_connections);
    map.size("max_header", out.max_header);
}

// `localhost` is a name, and what it stands for is no secret.
void localhost_to_address(std::string& address) {
    if (address.starts_with("localhost:"))
        address.replace(0, 9, "127.0.0.1");
}

}  // namespace

void read_config(Reading& reading, const YamlNode& node, Config& config) {
    reading.index(node, "");
    MapReader root(reading, &node, "");
    root.texts("listen", config.listen, true);
    std::ranges::for_each(config.listen, localhost_to_address);
    root.flag("open", config.open);
    root.text("admin", config.admin);
    localhost_to_address(config.admin);
    root.text("admin_key_sha256", config.admin_key_sha256);
    to_lower(config.admin_key_sha256);
    root.texts("admin_open", config.admin_open);
    for (std::string& path : config.admin_open) {
        if (path.starts_with('/'))
            path.erase(0, 1);
    }
    root.texts("allowed_hosts", config.allowed_hosts);
    root.count("workers", config.workers);
    root.choice<Mode>("mode", config.mode, kModes);
    if (const YamlNode* tls = root.find("tls")) {
        config.tls.emplace();
        MapReader map(reading, tls, "tls");
        map.text("certificate", config.tls->certificate);
        map.text("key", config.tls->key);
    }
    read_regions(root, config);
    root.text("default_region", config.default_region);
    read_credentials(reading, root.find("credentials"), "credentials", config.credentials);
    root.duration("quota_window", config.quota_window);
    root.number("quota_share", config.quota_share);
    read_names(root, "aliases", "model ids, `\"arn:...\": model`", "a model id", config.aliases);
    read_quotas(root, config);
    read_routes(root, config);
    read_clients(root, config);
    read_retry_and_breaker(root, config);
    read_times_and_bounds(root, config);
    MapReader log(reading, root.find("log"), "log");
    log.choice<LogLevel>("level", config.log.level,
                         {{"debug", LogLevel::debug},
                          {"info", LogLevel::info},
                          {"warn", LogLevel::warn},
                          {"error", LogLevel::error}});
    log.text("format", config.log.format);
}

}  // namespace weir::cli
