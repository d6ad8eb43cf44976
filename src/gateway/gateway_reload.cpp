// A new configuration for a running gateway.
#include "gateway/clock.h"
#include "gateway/configured_names.h"
#include "gateway/gateway_impl.h"
#include "net/tls.h"

#include <algorithm>
#include <ranges>

namespace weir::gateway {
namespace {

constexpr std::size_t kAdminConnections = 256;

}  // namespace

Result<std::shared_ptr<const Snapshot>> Gateway::Impl::make_snapshot(Config config) {
    auto made = std::make_shared<Snapshot>(std::move(config));
    const KeysWanted wanted = KeysWanted::of(made->config);
    if (made->config.regions.empty()) {
        made->keys = regions.keys(wanted);
    }
    for (const auto& [name, region] : made->config.regions) {
        auto found = regions.get(name, region, wanted);
        if (!found) {
            return failure("regions." + name + ": " + found.error().message);
        }
        made->regions.emplace(name, *found);
    }
    for (const auto& [name, account] : made->config.accounts) {
        made->accounts.emplace(name, regions.keys(KeysWanted::of(made->config, account)));
    }
    return std::shared_ptr<const Snapshot>(std::move(made));
}

net::ServerLimits Gateway::Impl::server_limits(const Config& config) const {
    auto limits = admin_limits(config);
    limits.max_connections = std::min(config.limits.max_connections, listeners.most_connections);
    if (limits.max_connections < config.limits.max_connections && !config.listen.empty()) {
        log(LogLevel::warn, "limits.max_connections is cut to " +
                                std::to_string(limits.max_connections) +
                                ": more descriptors may not be open (ulimit -n)");
    }
    return limits;
}

net::ServerLimits Gateway::Impl::admin_limits(const Config& config) const {
    net::ServerLimits limits;
    limits.head_timeout = config.timeouts.client_head;
    limits.idle_timeout = config.timeouts.client_idle;
    limits.write_timeout = config.timeouts.idle;
    limits.max_head = config.limits.max_header;
    limits.max_connections = kAdminConnections;
    return limits;
}

Result<ReloadAnswer> Gateway::reload(const Result<Config>& read, std::string_view by) {
    return impl_->reload(read, by);
}

Result<ReloadAnswer> Gateway::Impl::reload(const Result<Config>& read, std::string_view by) {
    const std::lock_guard lock(sources.mutex);
    auto taken = read ? take(*read) : std::unexpected(read.error());
    metrics.count_reload(taken.has_value());
    const std::string who(by);
    if (!taken) {
        log(LogLevel::error, who + ": refused, the old configuration stays");
        for (const auto line : std::views::split(taken.error().message, '\n')) {
            log(LogLevel::error, who + ": " + std::string(line.begin(), line.end()));
        }
        return taken;
    }
    log(LogLevel::info, who + ": configuration " + taken->hash + " is in force; changed: " +
                            (taken->applied.empty() ? "nothing" : listed(taken->applied)));
    if (!taken->needs_restart.empty()) {
        log(LogLevel::warn, who +
                                ": these settings take effect at the next start, the old values "
                                "stay until then: " +
                                listed(taken->needs_restart));
    }
    return taken;
}

/// Everything that may fail comes before anything changes.
Result<ReloadAnswer> Gateway::Impl::take(Config config) {
    auto changes = take_over(sources.declared, config);
    std::shared_ptr<net::TlsContext> tls;
    if (config.tls) {
        auto made = net::TlsContext::server(config.tls->certificate, config.tls->key);
        if (!made) {
            return failure("tls: " + made.error().message);
        }
        tls = std::move(*made);
    }
    auto trust = net::TrustReload::prepare(trusted_files(config));
    if (!trust) {
        return std::unexpected(trust.error());
    }
    regions.forget_unused();  // what the last reload has left behind
    const Config& next = config;
    auto made = make_snapshot(with_findings(config, sources.findings, gate->status()).config);
    if (!made) {
        return std::unexpected(made.error());
    }
    ReloadAnswer answer{.hash = hash_of(next),
                        .applied = std::move(changes.applied),
                        .needs_restart = std::move(changes.restart)};
    in_force.set(*made, {answer.hash, unix_ms(), answer.needs_restart});
    trust->commit();
    if (tls != nullptr) {
        listeners.main->set_tls(std::move(tls));
    }
    listeners.main->set_limits(server_limits(next));
    if (listeners.admin != nullptr) {
        listeners.admin->set_limits(admin_limits(next));
    }
    gate->reconfigure((*made)->config);
    shadow->reconfigure((*made)->config);
    metrics.configure(model_labels(next), client_labels(next));
    kept.ledger.configure(ledger_limits(next), client_labels(next), model_labels(next));
    books.budgets->configure(next.clients, unix_ms() / 1000);
    give_workers(*made);
    if (options.reloaded) {
        options.reloaded(next);
    }
    const Config& before = sources.declared;
    const bool guarded_anew =
        before.admin_key_sha256 != next.admin_key_sha256 || before.admin_open != next.admin_open;
    if (guarded_anew && listeners.feed != nullptr) {
        listeners.feed->cut();
    }
    sources.declared = std::move(config);
    if (aws.quotas != nullptr) {
        aws.quotas->nudge();
    }
    push_metrics((*made)->config);
    watch_incidents((*made)->config);
    let_alarms_act((*made)->config);
    export_otlp((*made)->config);
    return answer;
}

void Gateway::Impl::give_workers(const std::shared_ptr<const Snapshot>& snapshot) {
    for (auto& worker : workers) {
        Worker* w = worker.get();
        w->loop.post([w, snapshot] { w->take(snapshot); });
    }
}

}  // namespace weir::gateway
