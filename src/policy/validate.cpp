// What may stand in a configuration: listeners, Regions and credentials, clients, times and bounds.
// Routes and quotas are in validate_routes.cpp.

#include "policy/validate.h"

#include "policy/address.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace weir {

std::vector<Problem> validate(const Config& config) {
    policy::Problems problems;
    policy::validate_listeners(config, problems);
    policy::validate_regions(config, problems);
    policy::validate_quotas(config, problems);
    policy::validate_routes(config, problems);
    policy::validate_clients(config, problems);
    policy::validate_keyless(config, problems);
    policy::validate_bounds(config, problems);
    return problems.take();
}

}  // namespace weir

namespace weir::policy {

namespace {

constexpr std::string_view kAddressForm =
    "is not an address; allowed is IP:PORT, such as 127.0.0.1:7070, 0.0.0.0:7070 or [::1]:7070";

// A name that is safe in headers, paths, labels and logs.
bool is_plain_name(std::string_view text, std::size_t most) {
    return !text.empty() && text.size() <= most && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    });
}

bool is_region_name(std::string_view text) {
    return text.size() >= 3 && text.size() <= 40 && std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
           });
}

void validate_credentials(const CredentialsConfig& credentials, const std::string& path,
                          Problems& problems) {
    const CredentialsSource source = credentials.source;
    if (source == CredentialsSource::static_keys) {
        problems.require(!credentials.access_key_id.empty(), path + ".access_key_id",
                         "source static needs access_key_id");
        problems.require(!credentials.secret_access_key.empty(), path + ".secret_access_key",
                         "source static needs secret_access_key");
    } else {
        constexpr std::string_view kStatic = "is used with `source: static` only";
        problems.require(credentials.access_key_id.empty(), path + ".access_key_id", kStatic);
        problems.require(credentials.secret_access_key.empty(), path + ".secret_access_key",
                         kStatic);
        problems.require(credentials.session_token.empty(), path + ".session_token", kStatic);
    }
    problems.require(source == CredentialsSource::bearer || credentials.bearer_token.empty(),
                     path + ".bearer_token", "is used with `source: bearer` only");
    problems.require(source == CredentialsSource::default_chain || credentials.profile.empty(),
                     path + ".profile", "is used with `source: default` only");
    const auto printable = [](std::string_view text) {
        return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
    };
    const std::pair<std::string_view, const std::string*> header_values[] = {
        {".access_key_id", &credentials.access_key_id},
        {".secret_access_key", &credentials.secret_access_key},
        {".session_token", &credentials.session_token},
        {".bearer_token", &credentials.bearer_token}};
    for (const auto& [key, value] : header_values)
        problems.require(printable(*value), path + std::string(key),
                         "holds blanks, line ends or bytes beyond ASCII; no such key has them");
}

}  // namespace

std::string quoted(std::string_view text) {
    return "`" + std::string(text.substr(0, 120)) + (text.size() > 120 ? "...`" : "`");
}

std::string element(std::string_view path, std::size_t index) {
    return std::string(path) + "[" + std::to_string(index) + "]";
}

bool is_sha256(std::string_view hex) {
    return hex.size() == 64 && std::ranges::all_of(hex, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

bool is_declared(const Config& config, const std::string& region) {
    return config.regions.empty() || config.regions.contains(region);
}

std::string declared_regions(const Config& config) {
    std::string names;
    for (const auto& [name, region] : config.regions)
        names += (names.empty() ? "" : ", ") + name;
    return names.empty() ? "none: list them under `regions`" : names;
}

void validate_listeners(const Config& config, Problems& problems) {
    problems.require(!config.listen.empty(), "listen", "lists no address; allowed is at least one");
    const bool keyed = std::ranges::any_of(config.clients, &ClientConfig::keyed);
    std::set<std::string> seen;
    for (std::size_t i = 0; i < config.listen.size(); ++i) {
        const std::string path = element("listen", i);
        const auto address = parse_address(config.listen[i]);
        if (!address) {
            problems.add(path, quoted(config.listen[i]) + " " + std::string(kAddressForm));
            continue;
        }
        problems.require(address->port == 0 || seen.insert(config.listen[i]).second, path,
                         quoted(config.listen[i]) + " is listed twice");
        problems.require(address->loopback || config.open || keyed, path,
                         quoted(config.listen[i]) +
                             " can be reached from other machines; that needs `clients` with "
                             "`key_sha256` or `access_key_id`, or `open: true` to let everybody "
                             "in");
    }
    if (!config.admin.empty()) {
        const auto admin = parse_address(config.admin);
        if (!admin) {
            problems.add("admin", quoted(config.admin) + " " + std::string(kAddressForm));
        } else {
            problems.require(
                admin->port == 0 || !seen.contains(config.admin), "admin",
                quoted(config.admin) + " is in `listen` too; the admin port needs one of its own");
            problems.require(
                admin->loopback || !config.admin_key_sha256.empty() || !config.admin_open.empty(),
                "admin",
                quoted(config.admin) +
                    " can be reached from other machines; that needs "
                    "`admin_key_sha256`, or `admin_open` with the paths that anybody "
                    "may read");
        }
    }
    problems.require(config.admin_key_sha256.empty() || is_sha256(config.admin_key_sha256),
                     "admin_key_sha256",
                     "is not a SHA-256; allowed are 64 hexadecimal digits, as `weir key new` "
                     "prints them");
    for (std::size_t i = 0; i < config.admin_open.size(); ++i) {
        const std::string& name = config.admin_open[i];
        problems.require(
            name == "metrics" || name == "healthz" || name == "readyz" || name == "status",
            element("admin_open", i),
            quoted(name) + " is unknown; allowed are metrics, healthz, readyz, status");
    }
    for (std::size_t i = 0; i < config.allowed_hosts.size(); ++i) {
        const std::string& host = config.allowed_hosts[i];
        problems.require(is_plain_name(host, 253), element("allowed_hosts", i),
                         quoted(host) +
                             " is not a host name; allowed is a name without scheme, port and "
                             "path, such as weir.internal");
    }
    problems.require(config.workers <= 1024, "workers", "is above 1024, the largest allowed");
    if (config.tls) {
        problems.require(!config.tls->certificate.empty(), "tls.certificate",
                         "tls needs `certificate`, a PEM file");
        problems.require(!config.tls->key.empty(), "tls.key", "tls needs `key`, a PEM file");
    }
}

void validate_regions(const Config& config, Problems& problems) {
    for (const auto& [name, region] : config.regions) {
        const std::string path = "regions." + name;
        problems.require(
            is_region_name(name), path,
            quoted(name) + " is not the name of a Region; allowed is one such as us-east-1");
        constexpr std::string_view kUrl =
            " is not a URL; allowed is http:// or https:// with host, port and path";
        problems.require(region.endpoint.empty() || is_http_url(region.endpoint),
                         path + ".endpoint", quoted(region.endpoint) + std::string(kUrl));
        problems.require(region.mantle_endpoint.empty() || is_http_url(region.mantle_endpoint),
                         path + ".mantle_endpoint",
                         quoted(region.mantle_endpoint) + std::string(kUrl));
        problems.require(region.control_endpoint.empty() || is_http_url(region.control_endpoint),
                         path + ".control_endpoint",
                         quoted(region.control_endpoint) + std::string(kUrl));
        // A proxy's URL may carry a password: not shown, and `user:password@` is its own affair.
        problems.require(region.proxy.empty() || region.proxy.starts_with("http://") ||
                             region.proxy.starts_with("https://"),
                         path + ".proxy", "is not a URL; allowed is http://host:port");
        if (region.credentials)
            validate_credentials(*region.credentials, path + ".credentials", problems);
    }
    problems.require(config.default_region.empty() || is_declared(config, config.default_region),
                     "default_region",
                     quoted(config.default_region) + " is not declared; declared are " +
                         declared_regions(config));
    problems.require(config.default_region.empty() || !config.regions.empty() ||
                         is_region_name(config.default_region),
                     "default_region",
                     quoted(config.default_region) +
                         " is not the name of a Region; allowed is one such as us-east-1");
    validate_credentials(config.credentials, "credentials", problems);
    for (const auto& [alias, model] : config.aliases) {
        const std::string path = "aliases." + alias;
        problems.require(!alias.empty() && !model.empty(), path,
                         "an alias and its model must not be empty");
        problems.require(!config.aliases.contains(model), path,
                         quoted(model) +
                             " is an alias itself; allowed is a model id, so that aliases cannot "
                             "go in a circle");
    }
}

/// The pair that a client signs with. Nothing here may show the secret.
void validate_pair(const Config& config, std::size_t i, std::map<std::string, std::size_t>& known,
                   Problems& problems) {
    const ClientConfig& client = config.clients[i];
    const std::string& id = client.access_key_id;
    const std::string& secret = client.secret_access_key;
    const std::string path = element("clients", i);
    if (id.empty() && secret.empty())
        return;
    problems.require(!id.empty(), path + ".access_key_id",
                     "`secret_access_key` needs an `access_key_id` beside it; `weir key new NAME "
                     "--sigv4` makes both");
    problems.require(!secret.empty(), path + ".secret_access_key",
                     "`access_key_id` needs a `secret_access_key` beside it; `weir key new NAME "
                     "--sigv4` makes both");
    problems.require(std::ranges::none_of(secret,
                                          [](char c) {
                                              const auto byte = static_cast<unsigned char>(c);
                                              return byte <= 0x20 || byte >= 0x7F;
                                          }),
                     path + ".secret_access_key",
                     "has a blank or a character that is no ASCII; allowed is what `weir key new "
                     "NAME --sigv4` prints");
    problems.require(config.credentials.source != CredentialsSource::client_bearer,
                     path + ".access_key_id",
                     "a client that signs sends no key of Bedrock's, which `credentials: {source: "
                     "client_bearer}` would pass on; allowed is one of the two");
    if (id.empty())
        return;
    if (!problems.require(is_plain_name(id, 128), path + ".access_key_id",
                          quoted(id) + " is not an access key id; allowed are up to 128 letters, "
                                       "digits, '-', '_' and '.'"))
        return;
    const auto [first, fresh] = known.emplace(id, i);
    problems.require(fresh, path + ".access_key_id",
                     quoted(id) + " is that of " + element("clients", first->second) + " already");
}

void validate_clients(const Config& config, Problems& problems) {
    std::map<std::string, std::size_t> names;
    std::map<std::string, std::string> keys;
    std::map<std::string, std::size_t> pairs;
    for (std::size_t i = 0; i < config.clients.size(); ++i) {
        const ClientConfig& client = config.clients[i];
        const std::string path = element("clients", i);
        if (problems.require(is_plain_name(client.name, 64), path + ".name",
                             client.name.empty()
                                 ? "a client needs a `name`"
                                 : quoted(client.name) +
                                       " is not a name; allowed are up to 64 letters, digits, "
                                       "'-', '_' and '.'")) {
            const auto [first, fresh] = names.emplace(client.name, i);
            problems.require(fresh, path + ".name",
                             quoted(client.name) + " is the name of " +
                                 element("clients", first->second) + " already");
        }
        for (std::size_t j = 0; j < client.key_sha256.size(); ++j) {
            const std::string where = element(path + ".key_sha256", j);
            if (!problems.require(is_sha256(client.key_sha256[j]), where,
                                  "is not a SHA-256; allowed are 64 hexadecimal digits, as `weir "
                                  "key new` prints them"))
                continue;
            const auto [first, fresh] = keys.emplace(client.key_sha256[j], where);
            problems.require(fresh, where, "is the same key as " + first->second);
        }
        validate_pair(config, i, pairs, problems);
        problems.require(std::isfinite(client.share) && client.share > 0 && client.share <= 1e6,
                         path + ".share", "must be above 0, at most 1000000");
        problems.require(client.max_output != 0U, path + ".max_output",
                         "must be at least 1; leave it out for no cap");
        problems.require(client.tokens_per_minute != 0U, path + ".tokens_per_minute",
                         "is 0, which lets nothing through; leave it out for no limit");
        problems.require(client.requests_per_minute != 0U, path + ".requests_per_minute",
                         "is 0, which lets nothing through; leave it out for no limit");
        problems.require(client.max_in_flight != 0U, path + ".max_in_flight",
                         "is 0, which lets nothing through; leave it out for no limit");
        for (std::size_t j = 0; j < client.models.size(); ++j)
            problems.require(!client.models[j].empty(), element(path + ".models", j),
                             "is empty; allowed is a model id or a pattern such as us.anthropic.*");
        for (std::size_t j = 0; j < client.regions.size(); ++j)
            problems.require(is_declared(config, client.regions[j]), element(path + ".regions", j),
                             quoted(client.regions[j]) + " is not declared; declared are " +
                                 declared_regions(config));
    }
}

/// As soon as one client has a key, everybody needs one.
void validate_keyless(const Config& config, Problems& problems) {
    const auto keyed = std::ranges::find_if(config.clients, &ClientConfig::keyed);
    if (keyed == config.clients.end())
        return;
    for (std::size_t i = 0; i < config.clients.size(); ++i)
        problems.require(config.clients[i].keyed(), element("clients", i),
                         quoted(config.clients[i].name) +
                             " has no `key_sha256` and no `access_key_id`, and could never ask: "
                             "since " +
                             quoted(keyed->name) +
                             " has one, nobody is let in without; allowed is a key for every "
                             "client (`weir key new NAME`) or for none");
}

void validate_bounds(const Config& config, Problems& problems) {
    const auto positive = [&](Duration value, std::string_view path) {
        problems.require(value > Duration::zero(), path, "must be longer than 0");
    };
    const auto not_zero = [&](std::uint64_t value, std::string_view path) {
        problems.require(value > 0, path, "is 0; allowed is 1 or more");
    };
    const auto share = [&](double value, std::string_view path) {
        problems.require(value > 0 && value <= 1, path, "must be above 0 and at most 1");
    };
    problems.require(config.quota_window >= std::chrono::milliseconds(100) &&
                         config.quota_window <= std::chrono::hours(1),
                     "quota_window", "must be between 100ms and 1h");
    share(config.quota_share, "quota_share");

    positive(config.queue.deadline, "queue.deadline");
    positive(config.queue.max_wait, "queue.max_wait");
    positive(config.queue.target_wait, "queue.target_wait");
    not_zero(config.queue.max_waiting, "queue.max_waiting");
    const std::string& order = config.queue.order;
    problems.require(order == "fifo" || order == "adaptive_lifo" || order == "small_first",
                     "queue.order",
                     quoted(order) + " is unknown; allowed are fifo, adaptive_lifo, small_first");

    const RetryConfig& retry = config.retry;
    problems.require(retry.max_attempts >= 1 && retry.max_attempts <= 100, "retry.max_attempts",
                     "must be between 1 and 100");
    positive(retry.base_delay, "retry.base_delay");
    problems.require(retry.max_delay >= retry.base_delay, "retry.max_delay",
                     "must not be shorter than base_delay");
    problems.require(retry.budget >= 0 && retry.budget <= 10, "retry.budget",
                     "must be between 0 and 10: 0.2 is one retry in five sends");

    const BreakerConfig& breaker = config.breaker;
    not_zero(breaker.failures, "breaker.failures");
    share(breaker.failure_share, "breaker.failure_share");
    positive(breaker.window, "breaker.window");
    positive(breaker.open_for, "breaker.open_for");
    problems.require(breaker.max_open >= breaker.open_for, "breaker.max_open",
                     "must not be shorter than open_for");
    not_zero(breaker.probes, "breaker.probes");

    const TimeoutsConfig& timeouts = config.timeouts;
    positive(timeouts.connect, "timeouts.connect");
    positive(timeouts.first_event, "timeouts.first_event");
    positive(timeouts.hold, "timeouts.hold");
    positive(timeouts.idle, "timeouts.idle");
    positive(timeouts.answer, "timeouts.answer");
    positive(timeouts.client_head, "timeouts.client_head");
    positive(timeouts.client_idle, "timeouts.client_idle");
    problems.require(!timeouts.interim_100 || *timeouts.interim_100 >= std::chrono::seconds(1),
                     "timeouts.interim_100", "must be 1s or longer; leave it out for none");
    problems.require(timeouts.drain_delay >= Duration::zero(), "timeouts.drain_delay",
                     "must not be negative");
    problems.require(timeouts.drain >= Duration::zero(), "timeouts.drain", "must not be negative");

    not_zero(config.pool.max_connections, "pool.max_connections");
    problems.require(
        config.pool.idle > Duration::zero() && config.pool.idle < std::chrono::seconds(350),
        "pool.idle",
        "must be above 0 and below 350s, after which AWS's NAT gateways and load balancers drop "
        "idle connections without a word");
    positive(config.pool.keepalive, "pool.keepalive");

    not_zero(config.limits.max_body, "limits.max_body");
    problems.require(config.limits.max_buffered >= config.limits.max_body, "limits.max_buffered",
                     "must not be smaller than max_body");
    not_zero(config.limits.max_connections, "limits.max_connections");
    problems.require(config.limits.max_header >= 4096 && config.limits.max_header <= (16UL << 20),
                     "limits.max_header", "must be between 4KiB and 16MiB");

    const std::string& format = config.log.format;
    problems.require(format == "auto" || format == "text" || format == "json", "log.format",
                     quoted(format) + " is unknown; allowed are auto, text, json");
}

}  // namespace weir::policy
