#include "gateway/gateway.h"

#include "gateway/admin.h"
#include "gateway/background_thread.h"
#include "gateway/configured_names.h"
#include "gateway/exchange.h"
#include "gateway/settings.h"
#include "gateway/via.h"
#include "gateway/worker.h"
#include "net/descriptors.h"
#include "net/server.h"
#include "net/tls.h"
#include "observe/status_json.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ranges>
#include <thread>

namespace weir::gateway {
namespace {

constexpr Duration kObservedEvery = std::chrono::hours(24);
constexpr Duration kDrainPoll = std::chrono::milliseconds(20);
/// For what drain's end tells those who are still there: within Kubernetes' 30 s.
constexpr Duration kLastWords = std::chrono::seconds(1);
/// Descriptors that are neither a client's nor an upstream's: listeners, logs, epoll, files being
/// read.
constexpr std::size_t kSpareDescriptors = 64;

constexpr std::size_t kAdminConnections = 256;

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
}

}  // namespace

struct Gateway::Impl {
    Impl(Config config, GatewayOptions o)
        : options(std::move(o)),
          regions(options.make_keys),
          metrics(model_labels(config), client_labels(config)) {
        first = std::move(config);
    }

    Result<std::shared_ptr<const Snapshot>> make_snapshot(Config config);
    net::Task<void> serve(net::Downstream& downstream);
    net::Task<void> serve_admin(net::Downstream& downstream);
    net::ServerLimits server_limits(const Config& config) const;
    net::ServerLimits admin_limits(const Config& config) const;
    Result<ReloadAnswer> reload(const Result<Config>& read, std::string_view by);
    Result<ReloadAnswer> take(Config config);
    observe::ConfigurationStatus configuration() const;
    std::string scrape();
    void log_observed();
    void log(LogLevel level, std::string_view text) const {
        if (options.log) {
            options.log(level, text);
        }
    }

    GatewayOptions options;
    Config first;  // until start()
    RegionDirectory regions;
    observe::Metrics metrics;
    std::unique_ptr<observe::LineWriter> access_log;
    Shared shared;
    std::mutex reload_mutex;  // one reload at a time; held over disk reads
    mutable std::mutex snapshot_mutex;
    std::shared_ptr<const Snapshot> snapshot;  // guarded by snapshot_mutex; the workers have copies
    observe::ConfigurationStatus in_force;     // likewise
    std::size_t most_connections = 0;          // that the descriptors allow; set by start()
    // The order is that of construction: loops outlive all that runs on them.
    std::vector<std::unique_ptr<net::Loop>> loops;
    std::unique_ptr<EngineGate> gate;
    std::unique_ptr<ObserveGate> shadow;
    std::unique_ptr<net::Timer> observed_daily;
    std::vector<std::unique_ptr<Worker>> workers;
    std::unique_ptr<net::Server> server;
    std::unique_ptr<net::Server> admin;
    AdminParts admin_parts;
    std::unique_ptr<BackgroundThread> background;
    bool running = false;
};

Gateway::Gateway(Config config, GatewayOptions options)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(options))) {}

Gateway::~Gateway() {
    stop();
}

Result<std::shared_ptr<const Snapshot>> Gateway::Impl::make_snapshot(Config config) {
    auto made = std::make_shared<Snapshot>(std::move(config));
    if (made->config.regions.empty()) {
        made->keys = regions.keys(made->config.credentials);
    }
    for (const auto& [name, region] : made->config.regions) {
        auto found = regions.get(name, region, made->config.credentials);
        if (!found) {
            return failure("regions." + name + ": " + found.error().message);
        }
        made->regions.emplace(name, *found);
    }
    return std::shared_ptr<const Snapshot>(std::move(made));
}

net::Task<void> Gateway::Impl::serve(net::Downstream& downstream) {
    Worker& worker = *workers[downstream.loop().index()];
    if (is_health_path(downstream.head().target) && !is_web_page(downstream.head())) {
        co_await answer_health(downstream, shared.ready.load(std::memory_order_relaxed));
        co_return;
    }
    Exchange exchange(worker, downstream);
    co_await exchange.run();
}

net::Task<void> Gateway::Impl::serve_admin(net::Downstream& downstream) {
    const auto snapshot_now = workers.front()->snapshot;
    co_await answer_admin(downstream, snapshot_now->config, admin_parts);
}

Result<void> Gateway::start() {
    auto& my = *impl_;
    const auto descriptors = net::raise_descriptor_limit();
    auto snapshot = my.make_snapshot(std::move(my.first));
    if (!snapshot) {
        return std::unexpected(snapshot.error());
    }
    my.snapshot = *snapshot;
    const auto& config = my.snapshot->config;
    my.in_force = {hash_of(config), unix_ms(), {}};

    const auto cores = std::max(1U, std::thread::hardware_concurrency());
    const auto count = config.workers == 0 ? cores : config.workers;
    std::vector<net::Loop*> loops;
    for (std::size_t i = 0; i < count; ++i) {
        my.loops.push_back(std::make_unique<net::Loop>(static_cast<unsigned>(i)));
        loops.push_back(my.loops.back().get());
    }
    my.gate =
        std::make_unique<EngineGate>(config, my.options.seed, loops, [this](const Wake& wake) {
            if (Exchange* exchange = impl_->workers[wake.id.worker]->find(wake.id)) {
                exchange->deliver(wake.decision);
            }
        });
    my.shadow = std::make_unique<ObserveGate>(config, my.options.seed);
    if (my.options.access_log >= 0) {
        my.access_log = std::make_unique<observe::LineWriter>(
            my.options.access_log,
            [log = my.options.log](observe::LineWriter&, std::uint64_t lines) {
                if (log) {
                    log(LogLevel::warn,
                        std::to_string(lines) +
                            " lines of the access log were lost: standard output is not read "
                            "fast enough");
                }
            });
    }
    my.shared.gate = my.gate.get();
    my.shared.shadow = my.shadow.get();
    my.shared.metrics = &my.metrics;
    my.shared.access_log = my.access_log.get();
    my.shared.regions = &my.regions;
    my.shared.log = my.options.log;
    my.shared.instance = new_instance_name();
    my.shared.conversation_seed = my.options.seed;
    for (std::size_t i = 0; i < count; ++i) {
        my.workers.push_back(std::make_unique<Worker>(
            *my.loops[i], my.shared, my.snapshot, my.options.seed + 0x9e3779b97f4a7c15 * (i + 1)));
    }

    net::ServerSettings settings;
    settings.listen = config.listen;
    if (config.tls) {
        settings.tls = net::ServerTls{config.tls->certificate, config.tls->key};
    }
    my.most_connections = descriptors > 2 * kSpareDescriptors
                              ? (descriptors - kSpareDescriptors) / 2
                              : kSpareDescriptors;
    static_cast<net::ServerLimits&>(settings) = my.server_limits(config);
    settings.log = [this](std::string_view text) { impl_->log(LogLevel::warn, text); };
    settings.error_body = [](int, std::string_view message) {
        return error_body("weir: " + std::string(message));
    };
    settings.error_fields =
        "Content-Type: application/json\r\nx-amzn-ErrorType: ValidationException\r\n";
    my.server = std::make_unique<net::Server>(
        loops, settings, [this](net::Downstream& d) { return impl_->serve(d); });
    if (auto bound = my.server->start(); !bound) {
        return bound;
    }
    my.admin_parts.ready = [this] { return impl_->shared.ready.load(std::memory_order_relaxed); };
    my.admin_parts.metrics = [this] { return impl_->scrape(); };
    my.admin_parts.status = [this] {
        return observe::status_json(impl_->gate->status(), impl_->shadow->rows(),
                                    impl_->configuration(), impl_->shadow->advice());
    };
    if (my.options.read_config) {
        my.background = std::make_unique<BackgroundThread>();
        my.admin_parts.reload = [this](std::string_view peer,
                                       std::function<void(ReloadAnswer)> done) {
            impl_->background->run([this, by = "POST /reload from " + std::string(peer),
                                    done = std::move(done)] {
                auto answer = impl_->reload(impl_->options.read_config(), by);
                done(answer ? std::move(*answer) : ReloadAnswer{.error = answer.error().message});
            });
        };
    }
    if (!config.admin.empty()) {
        net::ServerSettings admin_settings = settings;
        admin_settings.listen = {config.admin};
        admin_settings.tls.reset();
        static_cast<net::ServerLimits&>(admin_settings) = my.admin_limits(config);
        my.admin = std::make_unique<net::Server>(
            std::vector<net::Loop*>{loops.front()}, admin_settings,
            [this](net::Downstream& d) { return impl_->serve_admin(d); });
        if (auto bound = my.admin->start(); !bound) {
            return bound;
        }
    }
    my.observed_daily = std::make_unique<net::Timer>(
        loops.front()->wheel(), [](void* self) { static_cast<Impl*>(self)->log_observed(); }, &my);
    my.observed_daily->set_after(kObservedEvery);
    for (auto& loop : my.loops) {
        loop->start();
    }
    my.running = true;
    return {};
}

/// What observing has shown since the start, one line for each model and client.
void Gateway::Impl::log_observed() {
    if (observed_daily != nullptr) {
        observed_daily->set_after(kObservedEvery);
    }
    for (const auto& row : shadow->rows()) {
        log(LogLevel::info, observe::observed_line(row));
    }
    for (const auto& one : shadow->advice()) {
        log(LogLevel::info, "observed, so: " + one.text);
    }
}

std::vector<std::uint16_t> Gateway::ports() const {
    return impl_->server->ports();
}

std::uint16_t Gateway::admin_port() const {
    return impl_->admin == nullptr ? std::uint16_t{0} : impl_->admin->ports().front();
}

net::ServerLimits Gateway::Impl::server_limits(const Config& config) const {
    auto limits = admin_limits(config);
    limits.max_connections = std::min(config.limits.max_connections, most_connections);
    if (limits.max_connections < config.limits.max_connections) {
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
    const std::lock_guard lock(reload_mutex);
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
                            (taken->applied.empty() ? "nothing" : joined(taken->applied)));
    if (!taken->needs_restart.empty()) {
        log(LogLevel::warn, who +
                                ": these settings take effect at the next start, the old values "
                                "stay until then: " +
                                joined(taken->needs_restart));
    }
    return taken;
}

/// Everything that may fail comes before anything changes.
Result<ReloadAnswer> Gateway::Impl::take(Config config) {
    const auto old = [&] {
        const std::lock_guard lock(snapshot_mutex);
        return snapshot;
    }();
    auto changes = take_over(old->config, config);
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
    auto made = make_snapshot(std::move(config));
    if (!made) {
        return std::unexpected(made.error());
    }
    const auto& next = (*made)->config;
    ReloadAnswer answer{.hash = hash_of(next),
                        .applied = std::move(changes.applied),
                        .needs_restart = std::move(changes.restart)};
    {
        const std::lock_guard lock(snapshot_mutex);
        snapshot = *made;
        in_force = {answer.hash, unix_ms(), answer.needs_restart};
    }
    trust->commit();
    if (tls != nullptr) {
        server->set_tls(std::move(tls));
    }
    server->set_limits(server_limits(next));
    if (admin != nullptr) {
        admin->set_limits(admin_limits(next));
    }
    gate->reconfigure(next);
    shadow->reconfigure(next);
    metrics.configure(model_labels(next), client_labels(next));
    for (auto& worker : workers) {
        Worker* w = worker.get();
        w->loop.post([w, next = *made] { w->take(next); });
    }
    if (options.reloaded) {
        options.reloaded(next);
    }
    return answer;
}

observe::ConfigurationStatus Gateway::Impl::configuration() const {
    const std::lock_guard lock(snapshot_mutex);
    return in_force;
}

std::string Gateway::Impl::scrape() {
    observe::Metrics::Gauges gauges;
    gauges.status = gate->status();
    gauges.observed = shadow->rows();
    gauges.client_active = static_cast<std::int64_t>(server->active());
    gauges.client_idle = static_cast<std::int64_t>(server->connections()) - gauges.client_active;
    std::shared_ptr<const Snapshot> current;
    {
        const std::lock_guard lock(snapshot_mutex);
        current = snapshot;
    }
    gauges.quota_share = current->config.quota_share;
    for (const auto& [name, region] : current->regions) {
        gauges.pools.push_back({name, region->counts.active.load(), region->counts.idle.load(),
                                static_cast<std::int64_t>(current->config.pool.max_connections)});
    }
    gauges.credentials_expiry_seconds = regions.soonest_expiry();
    gauges.unclean_lines = codec::unclean_lines();
    gauges.configuration = configuration();
    gauges.log_dropped = access_log == nullptr ? 0 : access_log->dropped();
    return metrics.text(gauges);
}

Status Gateway::status() {
    return impl_->gate->status();
}

std::string Gateway::metrics() {
    return impl_->scrape();
}

void Gateway::drain() {
    auto& my = *impl_;
    if (!my.running) {
        return;
    }
    my.shared.ready = false;
    const auto timeouts = [&] {
        const std::lock_guard lock(my.snapshot_mutex);
        return my.snapshot->config.timeouts;
    }();
    std::this_thread::sleep_for(timeouts.drain_delay);
    my.server->drain();
    auto left = timeouts.drain;
    while (!my.server->drained() && left > Duration::zero()) {
        std::this_thread::sleep_for(kDrainPoll);
        left -= kDrainPoll;
    }
    if (!my.server->drained()) {  // what is left gets an answer or a typed end, not a cut
                                  // connection
        my.shared.refuse_waiting = true;
        for (auto& worker : my.workers) {
            Worker* w = worker.get();
            w->loop.post([w] { w->end_all(); });
        }
        for (left = kLastWords; !my.server->drained() && left > Duration::zero();
             left -= kDrainPoll) {
            std::this_thread::sleep_for(kDrainPoll);
        }
    }
}

void Gateway::stop() {
    auto& my = *impl_;
    if (!my.running) {
        return;
    }
    my.running = false;
    my.background.reset();  // a reload under way ends, and its answer goes out
    my.server->close_all();
    if (my.admin != nullptr) {
        my.admin->close_all();
    }
    // What was cut ends on its own loop: give the coroutines the turn they need before the loops
    // stop.
    for (int i = 0;
         i < 100 && !(my.server->drained() && (my.admin == nullptr || my.admin->drained())); ++i) {
        std::this_thread::sleep_for(kDrainPoll);
    }
    for (auto& loop : my.loops) {
        loop->stop();
    }
    for (auto& loop : my.loops) {
        loop->join();
    }
    for (auto& loop : my.loops) {
        loop->unwind();  // a call that would not end refers to its worker and the engine
    }
    my.observed_daily.reset();
    my.log_observed();
}

}  // namespace weir::gateway
