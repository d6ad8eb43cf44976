// The whole configuration, every default filled in, each key explained; read back it gives the same
// Config. Secrets are the exception: they are left out, with a line that says so.

#include "cli/config_file.h"
#include "cli/logging.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::cli {

namespace {

bool is_plain(std::string_view text) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    if (text.empty() || !letter(text.front()) || text.back() == ':')
        return false;
    static constexpr std::string_view kWords[] = {"true", "false", "yes", "no", "on",
                                                  "off",  "null",  "y",   "n"};
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (std::ranges::find(kWords, lower) != std::end(kWords))
        return false;
    return std::ranges::all_of(text, [&](char c) {
        return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
}

std::string quote(std::string_view text, bool is_key = false) {
    if (is_plain(text))
        return std::string(text);
    std::string out = "\"";
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const auto byte = static_cast<unsigned char>(c);
        if (!is_key && text.substr(i, 2) == "${")
            out += "$$";
        else if (c == '"' || c == '\\')
            out += fmt::format("\\{}", c);
        else if (byte < 0x20 || byte == 0x7f)
            out += fmt::format("\\x{:02x}", byte);
        else
            out += c;
    }
    return out + "\"";
}

std::string list(const std::vector<std::string>& items) {
    std::string out = "[";
    for (const std::string& item : items)
        out += (out.size() > 1 ? ", " : "") + quote(item);
    return out + "]";
}

class Printer {
public:
    void line(int indent, std::string_view key, std::string_view value, std::string_view comment) {
        std::string text = fmt::format("{:{}}{}:", "", indent, key);
        if (!value.empty())
            text += fmt::format(" {}", value);
        comment_at_end(text, comment);
    }
    /// A key that is not set, as a comment.
    void absent(int indent, std::string_view key, std::string_view comment) {
        comment_at_end(fmt::format("{:{}}# {}:", "", indent, key), comment);
    }
    void raw(std::string_view text) { out_ += fmt::format("{}\n", text); }

    void duration(std::string_view key, Duration value, std::string_view comment, int indent = 2) {
        line(indent, key, format_duration(value), comment);
    }
    template <class T>
    void number(std::string_view key, T value, std::string_view comment, int indent = 2) {
        line(indent, key, fmt::format("{}", value), comment);
    }
    template <class T>
    void maybe(std::string_view key, const std::optional<T>& value, std::string_view comment,
               int indent = 4) {
        if (value)
            number(key, *value, comment, indent);
        else
            absent(indent, key, comment);
    }
    /// An optional text; empty is the same as absent.
    void text(int indent, std::string_view key, const std::string& value,
              std::string_view comment) {
        if (value.empty())
            absent(indent, key, comment);
        else
            line(indent, key, quote(value), comment);
    }
    void secret(int indent, std::string_view key, const std::string& value,
                std::string_view comment) {
        absent(
            indent, key,
            value.empty() ? std::string(comment) : fmt::format("set, and not shown; {}", comment));
    }
    std::string take() { return std::move(out_); }

private:
    void comment_at_end(const std::string& text, std::string_view comment) {
        if (comment.empty())
            out_ += text + "\n";
        else
            out_ += fmt::format("{:<44}  # {}\n", text, comment);
    }
    std::string out_;
};

std::string_view name(CredentialsSource source) {
    switch (source) {
        case CredentialsSource::default_chain:
            return "default";
        case CredentialsSource::static_keys:
            return "static";
        case CredentialsSource::bearer:
            return "bearer";
        case CredentialsSource::client_bearer:
            return "client_bearer";
    }
    return "default";
}

std::string_view name(Preset preset) {
    return preset == Preset::article ? "article" : "weir";
}

std::string_view name(Mode mode) {
    return mode == Mode::observe ? "observe" : "enforce";
}

void print_credentials(Printer& out, int indent, const CredentialsConfig& value) {
    out.line(indent, "source", name(value.source),
             "default (chain), static, bearer, client_bearer");
    out.text(indent, "profile", value.profile, "of the shared files; AWS_PROFILE, else default");
    out.text(indent, "access_key_id", value.access_key_id, "with source static");
    out.secret(indent, "secret_access_key", value.secret_access_key,
               "with source static; best as ${NAME} or ${file:/path}");
    out.secret(indent, "session_token", value.session_token, "with source static");
    out.secret(indent, "bearer_token", value.bearer_token,
               "with source bearer; unset: AWS_BEARER_TOKEN_BEDROCK");
}

void print_listeners(Printer& out, const Config& config) {
    out.raw("# Where weir listens, and who may ask.");
    out.line(0, "listen", list(config.listen),
             "IP:PORT; beyond loopback needs clients with keys, or open (WEIR_LISTEN)");
    out.line(0, "open", config.open ? "true" : "false",
             "true: anybody who reaches the port may ask (WEIR_OPEN)");
    out.line(0, "admin", quote(config.admin),
             "metrics, health, status, reload; \"\": none (WEIR_ADMIN)");
    out.text(0, "admin_key_sha256", config.admin_key_sha256,
             "hash of the admin key; needed beyond loopback");
    out.line(0, "admin_open", list(config.admin_open),
             "readable without that key: metrics, healthz, readyz, status");
    out.line(0, "allowed_hosts", list(config.allowed_hosts),
             "Host names besides loopback and the listen address");
    out.number("workers", config.workers, "threads; 0: one a core", 0);
    out.line(0, "mode", name(config.mode),
             "enforce; observe: let all through as it came, and tell what would have been done");
    if (config.tls) {
        out.line(0, "tls", "", "serve HTTPS");
        out.line(2, "certificate", quote(config.tls->certificate), "PEM file, chain included");
        out.line(2, "key", quote(config.tls->key), "PEM file");
    } else {
        out.absent(0, "tls", "{certificate: server.pem, key: server.key}: serve HTTPS");
    }
}

void print_regions(Printer& out, const Config& config) {
    out.raw("\n# Where Bedrock is, and how to sign.");
    if (config.regions.empty()) {
        out.line(0, "regions", "{}", "empty: the Region each caller's signature names");
    } else {
        out.line(0, "regions", "", "");
    }
    for (const auto& [region, value] : config.regions) {
        const bool bare = value.endpoint.empty() && value.mantle_endpoint.empty() &&
                          value.control_endpoint.empty() && value.ca.empty() &&
                          value.proxy.empty() && !value.credentials;
        out.line(2, quote(region, true), bare ? "{}" : "", "");
        out.text(4, "endpoint", value.endpoint,
                 fmt::format("unset: https://bedrock-runtime.{}.amazonaws.com", region));
        out.text(4, "mantle_endpoint", value.mantle_endpoint,
                 fmt::format("unset: https://bedrock-mantle.{}.api.aws", region));
        out.text(4, "control_endpoint", value.control_endpoint,
                 fmt::format("unset: https://bedrock.{}.amazonaws.com", region));
        out.text(4, "ca", value.ca, "PEM file; unset: AWS_CA_BUNDLE, else the system's store");
        if (value.proxy.find('@') == std::string::npos)
            out.text(4, "proxy", value.proxy, "unset: HTTPS_PROXY and NO_PROXY");
        else
            out.secret(4, "proxy", value.proxy, "it carries a password");
        if (value.credentials) {
            out.line(4, "credentials", "", "for this Region alone");
            print_credentials(out, 6, *value.credentials);
        } else {
            out.absent(4, "credentials", "unset: those of the whole file");
        }
    }
    out.text(0, "default_region", config.default_region,
             "for unsigned calls; unset: AWS_REGION, AWS_DEFAULT_REGION");
    out.line(0, "credentials", "", "for every Region without its own");
    print_credentials(out, 2, config.credentials);
}

void print_quotas(Printer& out, const Config& config) {
    out.raw("\n# What the service allows. What is absent is learned from its refusals.");
    out.duration("quota_window", config.quota_window, "how long a minute is; shorter in tests", 0);
    out.number("quota_share", config.quota_share, "this instance's part of every quota", 0);
    out.line(0, "aliases", config.aliases.empty() ? "{}" : "", "ARN or nickname: model id");
    for (const auto& [alias, model] : config.aliases)
        out.line(2, quote(alias, true), quote(model), "");
    out.line(0, "quotas", config.quotas.empty() ? "[]" : "", "per Region and model");
    for (const QuotaConfig& quota : config.quotas) {
        out.line(2, "- models", list(quota.models), "they share this pool");
        out.text(4, "region", quota.region, "unset: a pool of this size in each Region");
        out.line(4, "endpoint", to_string(quota.endpoint), "runtime, mantle");
        if (quota.reserved)
            out.line(4, "tier", "reserved", "the pool of this tier alone");
        else
            out.absent(4, "tier", "reserved: the pool of that tier; unset: of all others");
        if (quota.apart()) {
            out.maybe("input_tokens_per_minute", quota.input_tokens_per_minute, "unset: learned");
            out.maybe("output_tokens_per_minute", quota.output_tokens_per_minute,
                      "unset: not limited; running out of it cuts answers short");
            continue;
        }
        out.maybe("requests_per_minute", quota.requests_per_minute, "unset: learned");
        out.maybe("tokens_per_minute", quota.tokens_per_minute, "unset: learned");
        out.maybe("tokens_per_day", quota.tokens_per_day, "unset: learned");
        out.maybe("max_in_flight", quota.max_in_flight, "calls under way at once; unset: no limit");
        out.maybe("output_burndown", quota.output_burndown,
                  "quota tokens an output token costs; unset: the built-in table");
        out.line(4, "reserve_burndown", quota.reserve_burndown ? "true" : "false",
                 "true: max_tokens counts times the burndown from the start");
    }
}

void print_mapping(Printer& out, std::string_view key,
                   const std::map<std::string, std::string>& mapping, std::string_view comment) {
    if (mapping.empty()) {
        out.absent(8, key, comment);
        return;
    }
    out.line(8, key, "", comment);
    for (const auto& [theirs, here] : mapping)
        out.line(10, quote(theirs, true), quote(here), "");
}

void print_target(Printer& out, const RouteTarget& target) {
    out.line(6, "- region", quote(target.region), "");
    out.text(8, "model", target.model,
             target.endpoint == Endpoint::mantle ? "unset: the route's own, without its prefix"
                                                 : "unset: the route's own");
    out.line(8, "endpoint", to_string(target.endpoint),
             "runtime; mantle: OpenAI and Anthropic paths only");
    if (target.tier == Tier::unset)
        out.absent(8, "tier", "priority, default, flex, reserved; unset: as the call says");
    else
        out.line(8, "tier", to_string(target.tier), "priority, default, flex, reserved");
    if (target.path == ApiPath::as_asked)
        out.absent(8, "path", "/v1, /openai/v1: what the endpoint calls OpenAI's paths");
    else
        out.line(8, "path", target.path == ApiPath::v1 ? "/v1" : "/openai/v1",
                 "what the endpoint calls OpenAI's paths");
    if (target.weight > 0)
        out.number("weight", target.weight, "its part among weighted neighbours", 8);
    else
        out.absent(8, "weight", "1: shares calls with weighted neighbours");
    print_mapping(out, "guardrails", target.guardrails, "other Regions' guardrails: this one's");
    print_mapping(out, "profiles", target.profiles, "other Regions' profile ARNs: this one's");
}

void print_routes(Printer& out, const Config& config) {
    out.raw(
        "\n# Where else a model may be asked for. A model without a route stays in its Region.");
    out.line(0, "routes", config.routes.empty() ? "[]" : "", "");
    for (const RouteConfig& route : config.routes) {
        out.line(2, "- model", quote(route.model), "as the client asks");
        out.line(4, "targets", route.targets.empty() ? "[]" : "", "in order of preference");
        for (const RouteTarget& target : route.targets)
            print_target(out, target);
        out.duration("spill_after", route.spill_after,
                     "the same model elsewhere after this wait for quota", 4);
        out.duration("degrade_after", route.degrade_after, "another model after this", 4);
        out.line(4, "residency", quote(route.residency),
                 "any, us, eu, apac, jp, au, us-gov, ca, sa, me, af, il, mx");
        if (route.mode) {
            out.line(4, "mode", name(*route.mode), "enforce, observe");
        } else {
            out.absent(4, "mode", "unset: the file's");
        }
        out.line(4, "right_size", route.right_size ? "true" : "false",
                 "lower max_tokens to what answers have turned out to need");
        out.maybe("max_output", route.max_output, "unset: max_tokens as the caller says");
    }
}

void print_clients(Printer& out, const Config& config) {
    out.raw("\n# Who may ask, and how much each may take.");
    out.line(0, "clients", config.clients.empty() ? "[]" : "", "");
    for (const ClientConfig& client : config.clients) {
        out.line(2, "- name", quote(client.name), "");
        out.line(4, "key_sha256", list(client.key_sha256), "from `weir key new NAME`");
        out.text(4, "access_key_id", client.access_key_id,
                 "of a pair its SDK signs with; from `weir key new NAME --sigv4`");
        out.secret(4, "secret_access_key", client.secret_access_key,
                   "of that pair; best as ${NAME} or ${file:/path}");
        out.line(4, "priority", to_string(client.priority), "interactive, standard, batch");
        out.number("share", client.share, "weight against the others", 4);
        out.maybe("tokens_per_minute", client.tokens_per_minute, "unset: no limit of its own");
        out.maybe("max_output", client.max_output, "unset: max_tokens as the caller says");
        out.maybe("requests_per_minute", client.requests_per_minute, "unset: no limit of its own");
        out.maybe("max_in_flight", client.max_in_flight,
                  "calls under way at once; unset: no limit of its own");
        out.line(4, "models", list(client.models), "patterns with *; empty: all");
        out.line(4, "regions", list(client.regions), "empty: all");
    }
}

void print_policy(Printer& out, const Config& config) {
    out.raw("\n# Waiting, trying again, giving a place a rest.");
    out.line(0, "queue", "", "");
    out.duration("deadline", config.queue.deadline,
                 "from arrival to the answer, or a stream's first content");
    out.duration("max_wait", config.queue.max_wait, "of that, at most this in the queue");
    out.duration("target_wait", config.queue.target_wait,
                 "the wait that a standing overload is held to");
    out.number("max_waiting", config.queue.max_waiting, "calls; more are refused at once");
    out.line(2, "order", quote(config.queue.order), "fifo, adaptive_lifo, small_first");
    out.line(0, "retry", "", "");
    out.line(2, "preset", name(config.retry.preset), "weir; article: 5 sends, 1s doubling to 60s");
    out.number("max_attempts", config.retry.max_attempts, "sends a call, the first included");
    out.duration("base_delay", config.retry.base_delay, "doubles with each retry");
    out.duration("max_delay", config.retry.max_delay, "and ends here");
    out.line(2, "jitter", config.retry.jitter == Jitter::none ? "none" : "full",
             "full: 0 to that delay; none: that and up to a tenth");
    out.number("budget", config.retry.budget, "retries as a share of recent sends");
    out.line(2, "repeat_timeouts", config.retry.repeat_timeouts ? "true" : "false",
             "true: also repeat what may have been served and paid for");
    out.line(0, "breaker", "", "");
    out.line(2, "preset", name(config.breaker.preset), "weir; article: 5 failures, 60s");
    out.number("failures", config.breaker.failures, "in a row open it");
    out.number("failure_share", config.breaker.failure_share, "or this share, of at least 10");
    out.duration("window", config.breaker.window, "in which that share is counted");
    out.duration("open_for", config.breaker.open_for, "then probes; doubles if they fail");
    out.duration("max_open", config.breaker.max_open, "and ends here");
    out.number("probes", config.breaker.probes, "must all pass");
}

void print_times_and_bounds(Printer& out, const Config& config) {
    out.raw("\n# Times, connections, bounds.");
    out.line(0, "timeouts", "", "");
    out.duration("connect", config.timeouts.connect, "to Bedrock, TLS included");
    out.duration("first_event", config.timeouts.first_event, "a stream's first content");
    out.duration("hold", config.timeouts.hold,
                 "then a stream's head and pings go out before its content");
    out.duration("idle", config.timeouts.idle, "silence within a stream");
    out.duration("answer", config.timeouts.answer, "a whole answer that is not a stream");
    out.duration("client_head", config.timeouts.client_head,
                 "a request's head; its body: as long, and 1 s for each 1,000 bytes");
    out.duration("client_idle", config.timeouts.client_idle, "a client's idle connection");
    out.duration("drain_delay", config.timeouts.drain_delay,
                 "after SIGTERM accepting goes on this long");
    out.duration("drain", config.timeouts.drain, "then what is under way may finish");
    constexpr std::string_view kInterim =
        "send HTTP/1.1 clients that wait `100 Continue` this often; unset: never";
    if (config.timeouts.interim_100)
        out.duration("interim_100", *config.timeouts.interim_100, kInterim);
    else
        out.absent(2, "interim_100", kInterim);
    out.line(0, "pool", "", "");
    out.number("max_connections", config.pool.max_connections, "to Bedrock, per Region");
    out.duration("idle", config.pool.idle, "below 350s");
    out.duration("keepalive", config.pool.keepalive, "TCP keep-alive");
    out.line(0, "limits", "", "");
    out.line(2, "max_body", format_size(config.limits.max_body), "a request's body");
    out.line(2, "max_buffered", format_size(config.limits.max_buffered), "all bodies held");
    out.number("max_connections", config.limits.max_connections, "from clients");
    out.line(2, "max_header", format_size(config.limits.max_header), "a request's head");
    out.line(0, "log", "", "");
    out.line(2, "level", level_name(config.log.level), "debug, info, warn, error");
    out.line(2, "format", quote(config.log.format), "auto (text on a terminal), text, json");
}

}  // namespace

std::string print_config(const Config& config) {
    Printer out;
    print_listeners(out, config);
    print_regions(out, config);
    print_quotas(out, config);
    print_routes(out, config);
    print_clients(out, config);
    print_policy(out, config);
    print_times_and_bounds(out, config);
    return out.take();
}

}  // namespace weir::cli
