// What may stand in a configuration: listeners, Regions and credentials, clients, and what
// each row of setting_rows.h says of its value. Routes and quotas are in validate_routes.cpp.

#include "policy/validate.h"

#include "policy/address.h"
#include "policy/setting_rows.h"
#include "policy/store_url.h"

#include <algorithm>
#include <concepts>
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
    policy::validate_shared(config, problems);
    policy::validate_aws(config, problems);
    policy::validate_otlp(config, problems);
    policy::validate_prices(config, problems);
    policy::validate_rows(config, problems);
    return problems.take();
}

}  // namespace weir

namespace weir::policy {

namespace {

constexpr std::string_view kAddressForm =
    "is not an address; allowed is IP:PORT, such as 127.0.0.1:7070, 0.0.0.0:7070 or [::1]:7070";

/// `words`: a list like `fifo, small_first`.
bool is_listed(std::string_view text, std::string_view words) {
    for (std::size_t at = 0; at < words.size();) {
        const std::size_t end = std::min(words.find(", ", at), words.size());
        if (words.substr(at, end - at) == text)
            return true;
        at = end + 2;
    }
    return false;
}

bool may_name_region(std::string_view text) {
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

/// What each row says of its value alone.
class RowCheck {
public:
    RowCheck(Problems& problems, std::string path) : problems_(problems), path_(std::move(path)) {}

    void heading(std::string_view) {}
    template <class T>
    void operator()(const T& value, const Row& row) {
        check(value, row,
              path_.empty() ? std::string(row.key) : path_ + "." + std::string(row.key));
    }

private:
    template <class T>
    void check(const T& value, const Row& row, const std::string& path) {
        if constexpr (Section<T>) {
            RowCheck inner(problems_, path);
            visit(inner, value);
        } else if constexpr (std::integral<T> || std::floating_point<T>) {
            problems_.require(row.range.holds(static_cast<double>(value)), path,
                              row.range.otherwise);
        }
    }
    void check(Duration value, const Row& row, const std::string& path) {
        check(to_seconds(value), row, path);
    }
    void check(const std::string& value, const Row& row, const std::string& path) {
        if (row.has(kUrl))
            problems_.require(
                value.empty() || is_http_url(value), path,
                quoted(without_user(value)) +
                    " is not a URL; allowed is http:// or https:// with host, port and path");
        if (!row.words.empty())
            problems_.require(is_listed(value, row.words), path,
                              quoted(value) + " is unknown; allowed are " + std::string(row.words));
    }
    template <class T>
    void check(const std::optional<T>& value, const Row& row, const std::string& path) {
        if (value)
            check(*value, row, path);
    }
    template <class T>
    void check(const std::vector<T>& values, const Row& row, const std::string& path) {
        for (std::size_t i = 0; i < values.size(); ++i)
            check(values[i], row, element(path, i));
    }
    template <class T>
    void check(const std::map<std::string, T>& values, const Row& row, const std::string& path) {
        for (const auto& [name, value] : values)
            check(value, row, member_path(path, name));
    }

    Problems& problems_;
    std::string path_;
};

}  // namespace

std::string quoted(std::string_view text) {
    return "`" + std::string(text.substr(0, 120)) + (text.size() > 120 ? "...`" : "`");
}

std::string element(std::string_view path, std::size_t index) {
    return std::string(path) + "[" + std::to_string(index) + "]";
}

std::string member_path(std::string_view path, std::string_view name) {
    return std::string(path).append(".").append(name);
}

bool is_plain_name(std::string_view text, std::size_t most) {
    return !text.empty() && text.size() <= most && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    });
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
    if (config.tls) {
        problems.require(!config.tls->certificate.empty(), "tls.certificate",
                         "tls needs `certificate`, a PEM file");
        problems.require(!config.tls->key.empty(), "tls.key", "tls needs `key`, a PEM file");
    }
}

bool is_account_name(std::string_view text) {
    return !text.empty() && text.size() <= 64 && text != kDefaultAccount &&
           std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_';
           });
}

void validate_accounts(const Config& config, Problems& problems) {
    const CredentialsSource source = config.credentials.source;
    for (const auto& [name, account] : config.accounts) {
        const std::string path = "accounts." + name;
        problems.require(is_account_name(name), path,
                         quoted(name) +
                             " cannot name an account; allowed are letters, digits, '-' and '_', "
                             "and not `default`, which is that of `credentials`");
        problems.require(!account.role_arn.empty() || !account.profile.empty(), path,
                         "an account needs `role_arn` or `profile`: nothing says how to come by "
                         "its keys");
        problems.require(account.role_arn.empty() || (account.role_arn.starts_with("arn:") &&
                                                      account.role_arn.contains(":role/")),
                         path + ".role_arn",
                         quoted(account.role_arn) +
                             " is no role's ARN; allowed is arn:aws:iam::123456789012:role/NAME");
        problems.require(!account.role_arn.empty() ||
                             (account.external_id.empty() && account.session_name.empty()),
                         path, "`external_id` and `session_name` go with `role_arn`");
        problems.require(!account.profile.empty() || (source != CredentialsSource::bearer &&
                                                      source != CredentialsSource::client_bearer),
                         path,
                         "a Bedrock key cannot take on a role: an account needs `profile` beside "
                         "it, or `credentials.source` default or static");
    }
}

void validate_regions(const Config& config, Problems& problems) {
    for (const auto& [name, region] : config.regions) {
        const std::string path = "regions." + name;
        problems.require(
            may_name_region(name), path,
            quoted(name) + " is not the name of a Region; allowed is one such as us-east-1");
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
                         may_name_region(config.default_region),
                     "default_region",
                     quoted(config.default_region) +
                         " is not the name of a Region; allowed is one such as us-east-1");
    validate_credentials(config.credentials, "credentials", problems);
    validate_accounts(config, problems);
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
        problems.require(!client.budget || client.budget->per_day || client.budget->per_month,
                         path + ".budget", "has no amount; it needs per_day, per_month or both");
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

/// Nothing here may show the password.
void validate_shared(const Config& config, Problems& problems) {
    if (!config.shared)
        return;
    const SharedConfig& shared = *config.shared;
    const auto url = parse_store_url(shared.url);
    if (!url)
        problems.add("shared.url", url.error().message);
    problems.require(!url || !shared.cluster || url->database == 0, "shared.url",
                     "selects a database, but a server in cluster mode has database 0 alone; "
                     "leave `/" +
                         std::to_string(url ? url->database : 0) + "` out");
    problems.require(!url || url->tls || shared.ca.empty(), "shared.ca",
                     "is used with a `rediss://` URL only");
    const bool plain = std::ranges::none_of(shared.prefix, [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == '{' || c == '}' || c == '\x7f';
    });
    problems.require(!shared.prefix.empty() && shared.prefix.size() <= 64 && plain, "shared.prefix",
                     quoted(shared.prefix) +
                         " is not a prefix; allowed are 1 to 64 characters without blanks, '{' "
                         "and '}'");
}

void validate_rows(const Config& config, Problems& problems) {
    RowCheck check(problems, "");
    visit(check, config);
    problems.require(config.retry.max_delay >= config.retry.base_delay, "retry.max_delay",
                     "must not be shorter than base_delay");
    problems.require(config.breaker.max_open >= config.breaker.open_for, "breaker.max_open",
                     "must not be shorter than open_for");
    problems.require(config.limits.max_buffered >= config.limits.max_body, "limits.max_buffered",
                     "must not be smaller than max_body");
}

}  // namespace weir::policy
