#include "gateway/settings.h"

#include "codec/sigv4.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <map>
#include <optional>
#include <type_traits>

namespace weir::gateway {
namespace {

using enum Effect;

// docs/operations.md shows the same table; a test compares the two.
constexpr std::array kSettings{
    Setting{"listen", restart},
    Setting{"open", at_once},
    Setting{"admin", restart},
    Setting{"admin_key_sha256", at_once},
    Setting{"admin_open", at_once},
    Setting{"allowed_hosts", at_once},
    Setting{"workers", restart},
    Setting{"mode", at_once},
    Setting{"tls", restart},
    Setting{"tls.certificate", new_connections},
    Setting{"tls.key", new_connections},
    Setting{"regions", at_once},
    Setting{"default_region", at_once},
    Setting{"credentials", at_once},
    Setting{"quota_window", at_once},
    Setting{"quota_share", at_once},
    Setting{"aliases", at_once},
    Setting{"quotas", at_once},
    Setting{"routes", at_once},
    Setting{"clients", at_once},
    Setting{"queue.deadline", at_once},
    Setting{"queue.max_wait", at_once},
    Setting{"queue.target_wait", at_once},
    Setting{"queue.max_waiting", at_once},
    Setting{"queue.order", at_once},
    Setting{"retry.preset", at_once},
    Setting{"retry.max_attempts", at_once},
    Setting{"retry.base_delay", at_once},
    Setting{"retry.max_delay", at_once},
    Setting{"retry.jitter", at_once},
    Setting{"retry.budget", at_once},
    Setting{"retry.repeat_timeouts", at_once},
    Setting{"breaker.preset", at_once},
    Setting{"breaker.failures", at_once},
    Setting{"breaker.failure_share", at_once},
    Setting{"breaker.window", at_once},
    Setting{"breaker.open_for", at_once},
    Setting{"breaker.max_open", at_once},
    Setting{"breaker.probes", at_once},
    Setting{"timeouts.connect", new_connections},
    Setting{"timeouts.first_event", at_once},
    Setting{"timeouts.hold", at_once},
    Setting{"timeouts.idle", at_once},
    Setting{"timeouts.answer", at_once},
    Setting{"timeouts.client_head", at_once},
    Setting{"timeouts.client_idle", at_once},
    Setting{"timeouts.drain_delay", at_once},
    Setting{"timeouts.drain", at_once},
    Setting{"timeouts.interim_100", at_once},
    Setting{"pool.max_connections", at_once},
    Setting{"pool.idle", at_once},
    Setting{"pool.keepalive", new_connections},
    Setting{"limits.max_body", at_once},
    Setting{"limits.max_buffered", at_once},
    Setting{"limits.max_connections", new_connections},
    Setting{"limits.max_header", new_connections},
    Setting{"log.level", at_once},
    Setting{"log.format", restart},
};

/// A value as text that two different values never share: each part with its length before it.
class Text {
public:
    void add(std::string_view text) {
        out_ += std::to_string(text.size());
        out_ += ':';
        out_ += text;
    }
    template <class T>
        requires std::integral<T> || std::floating_point<T>
    void add(T value) {
        add(std::string_view(std::to_string(value)));
    }
    template <class T>
        requires std::is_enum_v<T>
    void add(T value) {
        add(static_cast<int>(value));
    }
    void add(const std::string& text) { add(std::string_view(text)); }
    void add(Duration value) { add(value.count()); }
    template <class T>
    void add(const std::optional<T>& value) {
        add(value.has_value());
        if (value) {
            add(*value);
        }
    }
    template <class T>
    void add(const std::vector<T>& values) {
        add(values.size());
        for (const T& value : values) {
            add(value);
        }
    }
    template <class K, class V>
    void add(const std::map<K, V>& values) {
        add(values.size());
        for (const auto& [key, value] : values) {
            add(key);
            add(value);
        }
    }
    // The bindings name every member: one that is added to a struct does not compile until it is
    // here too.
    void add(const CredentialsConfig& value) {
        const auto& [source, id, secret, session, bearer, profile] = value;
        all(source, id, secret, session, bearer, profile);
    }
    void add(const RegionConfig& value) {
        const auto& [endpoint, mantle, control, ca, proxy, credentials] = value;
        all(endpoint, mantle, control, ca, proxy, credentials);
    }
    void add(const QuotaConfig& value) {
        const auto& [models, region, endpoint, reserved, input, output, requests, tokens, daily,
                     in_flight, burndown, reserve_burndown] = value;
        all(models, region, endpoint, reserved, input, output, requests, tokens, daily, in_flight,
            burndown, reserve_burndown);
    }
    void add(const RouteTarget& value) {
        const auto& [region, model, weight, endpoint, tier, path, guardrails, profiles] = value;
        all(region, model, weight, endpoint, tier, path, guardrails, profiles);
    }
    void add(const RouteConfig& value) {
        const auto& [model, mode, targets, spill, degrade, right_size, max_output, residency] =
            value;
        all(model, mode, targets, spill, degrade, right_size, max_output, residency);
    }
    void add(const ClientConfig& value) {
        const auto& [name, keys, id, secret, priority, share, tokens, requests, in_flight,
                     max_output, models, regions] = value;
        all(name, keys, id, secret, priority, share, tokens, requests, in_flight, max_output,
            models, regions);
    }

    std::string take() { return std::move(out_); }

private:
    template <class... T>
    void all(const T&... values) {
        (add(values), ...);
    }

    std::string out_;
};

class Values {
public:
    template <class T>
    void add(std::string_view path, const T& value) {
        Text text;
        text.add(value);
        list_.emplace_back(path, text.take());
    }
    std::vector<std::pair<std::string, std::string>> take() { return std::move(list_); }

private:
    std::vector<std::pair<std::string, std::string>> list_;
};

void add_sections(const Config& config, Values& out) {
    {
        const auto& [deadline, max_wait, target_wait, max_waiting, order] = config.queue;
        out.add("queue.deadline", deadline);
        out.add("queue.max_wait", max_wait);
        out.add("queue.target_wait", target_wait);
        out.add("queue.max_waiting", max_waiting);
        out.add("queue.order", order);
    }
    {
        const auto& [preset, attempts, base, most, jitter, budget, repeat] = config.retry;
        out.add("retry.preset", preset);
        out.add("retry.max_attempts", attempts);
        out.add("retry.base_delay", base);
        out.add("retry.max_delay", most);
        out.add("retry.jitter", jitter);
        out.add("retry.budget", budget);
        out.add("retry.repeat_timeouts", repeat);
    }
    {
        const auto& [preset, failures, share, window, open_for, max_open, probes] = config.breaker;
        out.add("breaker.preset", preset);
        out.add("breaker.failures", failures);
        out.add("breaker.failure_share", share);
        out.add("breaker.window", window);
        out.add("breaker.open_for", open_for);
        out.add("breaker.max_open", max_open);
        out.add("breaker.probes", probes);
    }
    {
        const auto& [connect, first_event, hold, idle, answer, client_head, client_idle,
                     drain_delay, drain, interim] = config.timeouts;
        out.add("timeouts.connect", connect);
        out.add("timeouts.first_event", first_event);
        out.add("timeouts.hold", hold);
        out.add("timeouts.idle", idle);
        out.add("timeouts.answer", answer);
        out.add("timeouts.client_head", client_head);
        out.add("timeouts.client_idle", client_idle);
        out.add("timeouts.drain_delay", drain_delay);
        out.add("timeouts.drain", drain);
        out.add("timeouts.interim_100", interim);
    }
    {
        const auto& [most, idle, keepalive] = config.pool;
        out.add("pool.max_connections", most);
        out.add("pool.idle", idle);
        out.add("pool.keepalive", keepalive);
    }
    {
        const auto& [body, buffered, connections, header] = config.limits;
        out.add("limits.max_body", body);
        out.add("limits.max_buffered", buffered);
        out.add("limits.max_connections", connections);
        out.add("limits.max_header", header);
    }
    const auto& [level, format] = config.log;
    out.add("log.level", level);
    out.add("log.format", format);
}

Effect effect_of(std::string_view path) {
    const auto found = std::ranges::find(kSettings, path, &Setting::path);
    return found == kSettings.end() ? restart : found->effect;
}

}  // namespace

std::span<const Setting> settings() {
    return kSettings;
}

std::vector<std::pair<std::string, std::string>> values_of(const Config& config) {
    const auto& [listen, open, admin, admin_key, admin_open, allowed_hosts, workers, mode, tls,
                 regions, default_region, credentials, quota_window, quota_share, aliases, quotas,
                 routes, clients, queue, retry, breaker, timeouts, pool, limits, log, models] =
        config;
    Values out;
    out.add("listen", listen);
    out.add("open", open);
    out.add("admin", admin);
    out.add("admin_key_sha256", admin_key);
    out.add("admin_open", admin_open);
    out.add("allowed_hosts", allowed_hosts);
    out.add("workers", workers);
    out.add("mode", mode);
    out.add("tls", tls.has_value());
    const auto& [certificate, key] = tls ? *tls : TlsConfig{};
    out.add("tls.certificate", certificate);
    out.add("tls.key", key);
    out.add("regions", regions);
    out.add("default_region", default_region);
    out.add("credentials", credentials);
    out.add("quota_window", quota_window);
    out.add("quota_share", quota_share);
    out.add("aliases", aliases);
    out.add("quotas", quotas);
    out.add("routes", routes);
    out.add("clients", clients);
    add_sections(config, out);
    return out.take();
}

std::string hash_of(const Config& config) {
    constexpr std::size_t kDigits = 12;
    Text all;
    for (const auto& [path, value] : values_of(config)) {
        all.add(path);
        all.add(value);
    }
    return codec::to_hex(codec::sha256(all.take())).substr(0, kDigits);
}

Changes take_over(const Config& old, Config& next) {
    const auto before = values_of(old);
    const auto after = values_of(next);
    const bool tls_stays = old.tls.has_value() == next.tls.has_value();
    Changes changes;
    for (std::size_t i = 0; i < before.size(); ++i) {
        const auto& path = before[i].first;
        if (before[i].second == after[i].second || (path.starts_with("tls.") && !tls_stays)) {
            continue;
        }
        switch (effect_of(path)) {
            case at_once:
                changes.applied.push_back(path);
                break;
            case new_connections:
                changes.applied.push_back(path + " (new connections)");
                break;
            case restart:
                changes.restart.push_back(path);
                break;
        }
    }
    next.listen = old.listen;
    next.admin = old.admin;
    next.workers = old.workers;
    next.log.format = old.log.format;
    if (!tls_stays) {
        next.tls = old.tls;
    }
    return changes;
}

}  // namespace weir::gateway
