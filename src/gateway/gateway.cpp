#include "gateway/gateway.h"

#include "gateway/clock.h"
#include "gateway/exchange.h"
#include "gateway/gateway_impl.h"
#include "gateway/poll_until.h"
#include "gateway/via.h"
#include "net/descriptors.h"
#include "net/heartbeat.h"
#include "observe/scrape.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace weir::gateway {
namespace {

constexpr Duration kObservedEvery = std::chrono::hours(24);
/// What a killed process forgets of the costs.
constexpr Duration kCostsEvery = std::chrono::seconds(5);
constexpr Duration kDrainPoll = std::chrono::milliseconds(20);
/// For what drain's end tells those who are still there: within Kubernetes' 30 s.
constexpr Duration kLastWords = std::chrono::seconds(1);
/// For what was cut to end on its own loop.
constexpr Duration kLongestStop = std::chrono::seconds(2);
/// Descriptors that are neither a client's nor an upstream's: listeners, logs, epoll, files being
/// read.
constexpr std::size_t kSpareDescriptors = 64;

/// What answers to the exchanges of an engine come to.
template <class Gate>
shared::Books::Party party_of(Gate& gate) {
    return {new_instance_name(), [&gate](const BookAnswer& answer) { gate.answered(answer); },
            [&gate](std::string_view quota) { gate.unanswered(quota); }};
}

}  // namespace

Gateway::Gateway(Config config, GatewayOptions options)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(options))) {}

Gateway::~Gateway() {
    stop();
}

net::Task<void> Gateway::Impl::serve(net::Downstream& downstream) {
    Worker& worker = *workers[downstream.loop().index()];
    if (asks_health(downstream.head())) {
        co_await answer_health(downstream, shared.ready.load(std::memory_order_relaxed));
        co_return;
    }
    Exchange exchange(worker, downstream);
    co_await exchange.run();
}

net::Task<void> Gateway::Impl::serve_admin(net::Downstream& downstream) {
    const auto snapshot_now = workers.front()->snapshot;
    co_await answer_admin(downstream, snapshot_now->config, listeners.admin_parts);
}

Result<void> Gateway::start() {
    auto& my = *impl_;
    const auto descriptors = net::raise_descriptor_limit();
    my.sources.declared = my.first;
    const auto made = my.make_snapshot(std::move(my.first));
    if (!made) {
        return std::unexpected(made.error());
    }
    const std::shared_ptr<const Snapshot>& snapshot = *made;
    const auto& config = snapshot->config;
    my.in_force.set(snapshot, {hash_of(config), unix_ms(), {}});

    const auto cores = std::max(1U, std::thread::hardware_concurrency());
    const auto count = config.workers == 0 ? cores : config.workers;
    std::vector<net::Loop*> loops;
    for (std::size_t i = 0; i < count; ++i) {
        my.loops.push_back(std::make_unique<net::Loop>(static_cast<unsigned>(i)));
        loops.push_back(my.loops.back().get());
    }
    my.gate = std::make_unique<EngineGate>(
        config, my.options.seed,
        my.options.before
            ? std::move(*my.options.before)
            : state_before(config.state_file, config.quota_window, unix_ms(), my.options.log),
        loops, [this](const Wake& wake) {
            if (auto* call = impl_->workers[wake.id.worker]->calls.find(wake.id)) {
                call->deliver(wake.decision);
            }
        });
    my.gate->tell(my.options.log);
    my.kept.ledger.set_name(new_instance_name());
    my.kept.may_write_ledger =
        !config.costs.file.empty() && take_costs(config.costs.file, my.kept.ledger, my.options.log);
    my.shadow = std::make_unique<ObserveGate>(config, my.options.seed, *my.loops.front());
    if (config.shared) {
        my.books.kept =
            std::make_unique<shared::Books>(*my.loops.front(), *config.shared, my.options.log);
        my.books.refused =
            std::make_unique<OtherInstances>(*my.loops.front(), my.books.kept->refusals());
        my.books.engine = party_of(*my.gate);
        my.books.shadow = party_of(*my.shadow);
        my.gate->share([&my](std::vector<BookExchange> exchanges) {
            my.books.kept->send(my.books.engine, std::move(exchanges));
        });
        my.shadow->share([&my](std::vector<BookExchange> exchanges) {
            my.books.kept->send(my.books.shadow, std::move(exchanges));
        });
    }
    my.keep_budgets(config);
    if (my.options.access_log >= 0) {
        my.outlets.access_log = std::make_unique<observe::LineWriter>(
            my.options.access_log,
            [log = my.options.log](observe::LineWriter&, std::uint64_t lines) {
                if (log) {
                    log(LogLevel::warn, std::to_string(lines) +
                                            " lines of the access log were lost: standard output "
                                            "is closed, full or not "
                                            "read fast enough");
                }
            });
    }
    my.shared.gate = my.gate.get();
    my.shared.shadow = my.shadow.get();
    my.shared.others = my.books.refused.get();
    my.shared.budgets = my.books.budgets.get();
    my.shared.metrics = &my.metrics;
    my.shared.ledger = &my.kept.ledger;
    my.shared.access_log = my.outlets.access_log.get();
    my.shared.regions = &my.regions;
    my.shared.log = my.options.log;
    my.shared.instance = new_instance_name();
    my.shared.conversation_seed = my.options.seed;
    my.shared.explain.memory = config.explain.memory / count;
    my.shared.explain.requests = (config.explain.requests + count - 1) / count;
    for (std::size_t i = 0; i < count; ++i) {
        my.workers.push_back(std::make_unique<Worker>(
            *my.loops[i], my.shared, snapshot, my.options.seed + 0x9e3779b97f4a7c15 * (i + 1)));
    }

    net::ServerSettings settings;
    settings.listen = config.listen;
    if (config.tls) {
        settings.tls = net::ServerTls{config.tls->certificate, config.tls->key};
    }
    my.listeners.most_connections = descriptors > 2 * kSpareDescriptors
                                        ? (descriptors - kSpareDescriptors) / 2
                                        : kSpareDescriptors;
    static_cast<net::ServerLimits&>(settings) = my.server_limits(config);
    settings.log = [this](std::string_view text) { impl_->log(LogLevel::warn, text); };
    settings.error_body = [](int, std::string_view message) {
        return error_body("weir: " + std::string(message));
    };
    settings.error_fields =
        "Content-Type: application/json\r\nx-amzn-ErrorType: ValidationException\r\n";
    my.listeners.main = std::make_unique<net::Server>(
        loops, settings, [this](net::Downstream& d) { return impl_->serve(d); });
    if (auto bound = my.listeners.main->start(); !bound) {
        return bound;
    }
    my.offer_admin();
    if (!config.admin.empty()) {
        net::ServerSettings admin_settings = settings;
        admin_settings.listen = {config.admin};
        admin_settings.tls.reset();
        static_cast<net::ServerLimits&>(admin_settings) = my.admin_limits(config);
        my.listeners.admin = std::make_unique<net::Server>(
            std::vector<net::Loop*>{loops.front()}, admin_settings,
            [this](net::Downstream& d) { return impl_->serve_admin(d); });
        if (auto bound = my.listeners.admin->start(); !bound) {
            return bound;
        }
        my.feed_page();
    }
    my.observed_daily = std::make_unique<net::Timer>(
        loops.front()->wheel(), [](void* self) { static_cast<Impl*>(self)->log_observed(); }, &my);
    my.observed_daily->set_after(kObservedEvery);
    if (!config.state_file.empty()) {
        my.kept.state = std::make_unique<StateKeeper>(
            config.state_file, state_interval(config.quota_window),
            [gate = my.gate.get()] { return gate->state(); }, my.options.log);
    }
    if (my.kept.may_write_ledger) {
        my.kept.costs = std::make_unique<CostKeeper>(config.costs.file, kCostsEvery, my.kept.ledger,
                                                     my.options.log);
    }
    const std::lock_guard lock(my.sources.mutex);  // what is read of quotas changes nothing yet
    my.aws.quotas = std::make_unique<QuotaWatch>(QuotaWatch::Ends{
        [this] { return impl_->in_force.snapshot(); }, [this] { return impl_->gate->status(); },
        [this](const FindingsByAccount& found) { impl_->take_findings(found); }, my.options.log});
    my.running = true;
    my.push_metrics(config);
    my.watch_incidents(config);
    my.let_alarms_act(config);
    my.export_otlp(config);
    // Last: the ports are open, and what asks at once finds all of the gateway.
    for (auto& loop : my.loops) {
        loop->start();
    }
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
    return impl_->listeners.main->ports();
}

std::uint16_t Gateway::admin_port() const {
    return impl_->listeners.admin == nullptr ? std::uint16_t{0}
                                             : impl_->listeners.admin->ports().front();
}

/// Of a quota whose calls are observed, what the shadow has of the shared books.
Status Gateway::Impl::status() {
    Status all = gate->status();
    if (books.kept == nullptr) {
        return all;
    }
    for (SharedStatus& seen : shadow->shared()) {
        const auto same = std::ranges::find(all.shared, seen.quota, &SharedStatus::quota);
        if (same == all.shared.end()) {
            all.shared.push_back(std::move(seen));
        } else if (!same->joined) {
            *same = std::move(seen);
        }
    }
    return all;
}

std::vector<prometheus::MetricFamily> Gateway::Impl::scrape() {
    observe::Metrics::Gauges gauges;
    gauges.status = status();
    gauges.observed = shadow->rows();
    gauges.budgets = budgets();
    gauges.client_active = static_cast<std::int64_t>(listeners.main->active());
    gauges.client_idle =
        static_cast<std::int64_t>(listeners.main->connections()) - gauges.client_active;
    gauges.streams = shared.streams.load(std::memory_order_relaxed);
    const auto current = in_force.snapshot();
    gauges.quota_share = current->config.quota_share;
    for (const auto& [name, region] : current->regions) {
        gauges.pools.push_back({name, region->counts.active.load(), region->counts.idle.load(),
                                static_cast<std::int64_t>(current->config.pool.max_connections)});
    }
    if (books.kept != nullptr) {
        const auto& counters = books.kept->counters();
        observe::Metrics::Gauges::SharedStore store;
        store.up = counters.up.load();
        store.commands = counters.commands.load();
        for (std::size_t i = 0; i < shared::kStoreErrors; ++i) {
            store.failures.emplace_back(to_string(static_cast<shared::StoreError>(i)),
                                        counters.failed[i].load());
        }
        gauges.shared = std::move(store);
    }
    gauges.credentials_expiry_seconds = regions.soonest_expiry();
    gauges.unclean_lines = codec::unclean_lines();
    gauges.configuration = in_force.status();
    gauges.log_dropped = outlets.access_log == nullptr ? 0 : outlets.access_log->dropped();
    gauges.otlp = otlp_counts();
    {
        const std::lock_guard lock(aws.mutex);
        if (aws.push != nullptr) {
            const auto& counters = aws.push->counters();
            gauges.cloudwatch = {counters.sent, counters.dropped, counters.left_out};
        }
        if (aws.actions != nullptr) {
            gauges.sns_messages = aws.actions->counts();
        }
    }
    return metrics.collect(gauges);
}

Status Gateway::status() {
    return impl_->gate->status();
}

std::string Gateway::metrics() {
    return observe::to_text(impl_->scrape());
}

bool Gateway::lives(Duration within) {
    std::vector<net::Loop*> loops;
    for (auto& loop : impl_->loops) {
        loops.push_back(loop.get());
    }
    return net::all_turn(loops, within);
}

Duration Gateway::longest_drain() const {
    const auto snapshot = impl_->in_force.snapshot();
    const auto& timeouts = snapshot->config.timeouts;
    // A call to the collector that is under way ends within a second.
    const Duration flush = snapshot->config.otlp.endpoint.empty()
                               ? Duration::zero()
                               : kLongestFlush + std::chrono::seconds(1);
    return timeouts.drain_delay + timeouts.drain + kLastWords + kLongestStop + kLongestFarewell +
           flush;
}

net::Loop& Gateway::next_loop() {
    const auto number = impl_->local_requests.fetch_add(1, std::memory_order_relaxed);
    return *impl_->loops[number % impl_->loops.size()];
}

void Gateway::serve(std::shared_ptr<LocalClient> client) {
    net::Loop& loop = client->loop();
    // Begun there, so that the memory of its coroutines is taken and kept by one thread.
    loop.post([&worker = *impl_->workers[loop.index()], client = std::move(client)]() mutable {
        worker.loop.spawn(serve_local(worker, std::move(client)));
    });
}

void Gateway::end_calls() {
    impl_->shared.refuse_waiting = true;
    for (auto& worker : impl_->workers) {
        Worker* w = worker.get();
        w->loop.post([w] { w->end_all(); });
    }
}

void Gateway::drain() {
    auto& my = *impl_;
    if (!my.running) {
        return;
    }
    my.shared.ready = false;
    my.aws.quotas->stop();
    const auto timeouts = my.in_force.snapshot()->config.timeouts;
    std::this_thread::sleep_for(timeouts.drain_delay);
    my.listeners.main->drain();
    const auto drained = [&] { return my.listeners.main->drained(); };
    if (!poll_until(drained, kDrainPoll, timeouts.drain)) {
        // What is left gets an answer or a typed end, not a cut connection.
        end_calls();
        poll_until(drained, kDrainPoll, kLastWords);
    }
}

void Gateway::stop() {
    auto& my = *impl_;
    if (!my.running) {
        return;
    }
    if (my.background != nullptr) {
        my.background->finish();  // a reload under way ends, and its answer goes out
    }
    my.running = false;  // not before: a reload reads it, and nudges the next
    my.aws.quotas.reset();
    std::unique_ptr<MetricsPush> push;  // a scrape takes the lock, so they end without
    std::unique_ptr<IncidentWatch> watch;
    std::shared_ptr<AlarmActions> actions;
    {
        const std::lock_guard lock(my.aws.mutex);
        push = std::move(my.aws.push);
        watch = std::move(my.aws.incidents);
        actions = std::move(my.aws.actions);
    }
    push.reset();
    watch.reset();
    actions.reset();  // or at the end of the last message under way
    if (my.listeners.feed != nullptr) {
        my.listeners.feed->stop();
    }
    for (auto* server : {my.listeners.main.get(), my.listeners.admin.get()}) {
        if (server != nullptr) {
            server->drain();  // accepts no more: only then is it ever drained
            server->close_all();
        }
    }
    // What was cut ends on its own loop: give the coroutines the turn they need before the loops
    // stop.
    poll_until([&] { return my.listeners.drained(); }, kDrainPoll, kLongestStop);
    my.leave_books();
    for (auto& loop : my.loops) {
        loop->stop();
    }
    for (auto& loop : my.loops) {
        loop->join();
    }
    for (auto& loop : my.loops) {
        loop->unwind();  // a call that would not end refers to its worker and the engine
    }
    if (my.kept.state != nullptr) {
        my.kept.state->finish();
    }
    if (my.kept.costs != nullptr) {
        my.kept.costs->finish();
    }
    my.stop_otlp();  // with the traces of what was cut
    my.observed_daily.reset();
    my.log_observed();
}

}  // namespace weir::gateway
