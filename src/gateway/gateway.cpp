#include "gateway/gateway.h"

#include "gateway/admin.h"
#include "gateway/exchange.h"
#include "gateway/via.h"
#include "gateway/worker.h"
#include "net/descriptors.h"
#include "net/server.h"
#include "observe/status_json.h"

#include <algorithm>
#include <atomic>
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

std::vector<std::string> model_labels(const Config& config) {
    std::vector<std::string> models;
    for (const auto& route : config.routes) {
        models.push_back(route.model);
        for (const auto& target : route.targets) {
            if (!target.model.empty()) {
                models.push_back(target.model);
            } else if (target.endpoint == Endpoint::mantle) {
                models.emplace_back(split_model(route.model).base);
            }
        }
    }
    for (const auto& quota : config.quotas) {
        models.insert(models.end(), quota.models.begin(), quota.models.end());
    }
    return models;
}

std::vector<std::string> client_labels(const Config& config) {
    std::vector<std::string> clients;
    clients.reserve(config.clients.size());
    for (const auto& client : config.clients) {
        clients.push_back(client.name);
    }
    return clients;
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
    Result<void> reload(Config config);
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
    std::mutex snapshot_mutex;
    std::shared_ptr<const Snapshot> snapshot;  // guarded by snapshot_mutex; the workers have copies
    // The order is that of construction: loops outlive all that runs on them.
    std::vector<std::unique_ptr<net::Loop>> loops;
    std::unique_ptr<EngineGate> gate;
    std::unique_ptr<ObserveGate> shadow;
    std::unique_ptr<net::Timer> observed_daily;
    std::vector<std::unique_ptr<Worker>> workers;
    std::unique_ptr<net::Server> server;
    std::unique_ptr<net::Server> admin;
    AdminParts admin_parts;
    bool running = false;
};

Gateway::Gateway(Config config, GatewayOptions options)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(options))) {}

Gateway::~Gateway() {
    stop();
}

Result<std::shared_ptr<const Snapshot>> Gateway::Impl::make_snapshot(Config config) {
    auto made = std::make_shared<Snapshot>(std::move(config));
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
    settings.head_timeout = config.timeouts.client_head;
    settings.idle_timeout = config.timeouts.client_idle;
    settings.write_timeout = config.timeouts.idle;
    settings.max_head = config.limits.max_header;
    const auto fit = descriptors > 2 * kSpareDescriptors ? (descriptors - kSpareDescriptors) / 2
                                                         : kSpareDescriptors;
    settings.max_connections = std::min(config.limits.max_connections, fit);
    if (settings.max_connections < config.limits.max_connections) {
        my.log(LogLevel::warn, "limits.max_connections is cut to " +
                                   std::to_string(settings.max_connections) + ": only " +
                                   std::to_string(descriptors) +
                                   " descriptors may be open (ulimit -n)");
    }
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
        return observe::status_json(impl_->gate->status(), impl_->shadow->rows());
    };
    if (my.options.read_config) {
        my.admin_parts.reload = [this]() -> Result<void> {
            auto config = impl_->options.read_config();
            if (!config) {
                impl_->metrics.count_reload(false);
                return std::unexpected(config.error());
            }
            return impl_->reload(std::move(*config));
        };
    }
    if (!config.admin.empty()) {
        net::ServerSettings admin_settings = settings;
        admin_settings.listen = {config.admin};
        admin_settings.tls.reset();
        admin_settings.max_connections = 256;
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
}

std::vector<std::uint16_t> Gateway::ports() const {
    return impl_->server->ports();
}

std::uint16_t Gateway::admin_port() const {
    return impl_->admin == nullptr ? std::uint16_t{0} : impl_->admin->ports().front();
}

Result<void> Gateway::reload(Config config) {
    return impl_->reload(std::move(config));
}

void Gateway::reload_refused() {
    impl_->metrics.count_reload(false);
}

Result<void> Gateway::Impl::reload(Config config) {
    const std::lock_guard lock(snapshot_mutex);
    const auto& old = snapshot->config;
    const bool restart = config.listen != old.listen || config.admin != old.admin ||
                         config.workers != old.workers ||
                         config.tls.has_value() != old.tls.has_value();
    if (restart) {
        log(LogLevel::warn, "reload: listen, admin, workers and tls take effect at the next start");
        config.listen = old.listen;
        config.admin = old.admin;
        config.workers = old.workers;
        config.tls = old.tls;
    }
    auto made = make_snapshot(std::move(config));
    if (!made) {
        metrics.count_reload(false);
        return std::unexpected(made.error());
    }
    snapshot = *made;
    gate->reconfigure(snapshot->config);
    shadow->reconfigure(snapshot->config);
    metrics.configure(model_labels(snapshot->config), client_labels(snapshot->config));
    for (auto& worker : workers) {
        Worker* w = worker.get();
        w->loop.post([w, next = snapshot] { w->snapshot = next; });
    }
    metrics.count_reload(true);
    return {};
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
    if (options.credentials_expiry) {
        gauges.credentials_expiry_seconds = options.credentials_expiry();
    }
    gauges.unclean_lines = codec::unclean_lines();
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
