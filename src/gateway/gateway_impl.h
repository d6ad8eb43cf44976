// What a running gateway is made of; gateway.cpp starts and ends it, gateway_reload.cpp changes it,
// gateway_admin.cpp tells of it, gateway_orders.cpp takes orders, gateway_aws.cpp starts what asks
// AWS or tells it, gateway_otlp.cpp what tells OpenTelemetry.
#pragma once

#include "gateway/admin.h"
#include "gateway/alarm_actions.h"
#include "gateway/background_thread.h"
#include "gateway/budget_beat.h"
#include "gateway/clock.h"
#include "gateway/configured_names.h"
#include "gateway/cost_file.h"
#include "gateway/gateway.h"
#include "gateway/incident_watch.h"
#include "gateway/live_feed.h"
#include "gateway/metrics_push.h"
#include "gateway/otlp_export.h"
#include "gateway/quota_watch.h"
#include "gateway/settings.h"
#include "gateway/state_file.h"
#include "gateway/worker.h"
#include "net/server.h"
#include "observe/ledger.h"
#include "observe/status_json.h"
#include "shared/books.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace weir::gateway {

/// The configuration that is in force and what is to be said of it: for any thread, and always of
/// the same moment.
class InForce {
public:
    std::shared_ptr<const Snapshot> snapshot() const {
        const std::lock_guard lock(mutex_);
        return snapshot_;
    }
    observe::ConfigurationStatus status() const {
        const std::lock_guard lock(mutex_);
        return status_;
    }
    void set(std::shared_ptr<const Snapshot> snapshot, observe::ConfigurationStatus status) {
        const std::lock_guard lock(mutex_);
        snapshot_ = std::move(snapshot);
        status_ = std::move(status);
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const Snapshot> snapshot_;  // the workers have copies
    observe::ConfigurationStatus status_;
};

/// Where connections come in, and how many may. Both servers run on loops that outlive them.
struct Listeners {
    std::unique_ptr<net::Server> main;
    std::unique_ptr<net::Server> admin;  ///< null: there is no admin port
    AdminParts admin_parts;
    std::unique_ptr<LiveFeed> feed;    ///< of the page; null: there is no admin port
    std::size_t most_connections = 0;  ///< that the descriptors allow; set by start()

    bool drained() const { return main->drained() && (admin == nullptr || admin->drained()); }
};

/// What the configuration in force is made of: the file, and what AWS said. Guarded by the mutex,
/// which lets one change it at a time and is held over disk reads.
struct Sources {
    std::mutex mutex;
    Config declared;  ///< without what AWS said
    FindingsByAccount findings;
    std::map<std::string, std::string> told_limits;  ///< by Region, model and kind
    std::set<std::string> told_doubts;
};

/// For the store to answer the last exchanges.
inline constexpr Duration kLongestFarewell = std::chrono::milliseconds(500);

/// The books that instances share, and who draws on them here.
struct SharedBooks {
    shared::Books::Party engine, shadow;
    std::unique_ptr<shared::Books> kept;      ///< null: this instance counts alone
    std::unique_ptr<OtherInstances> refused;  ///< what they have refused to SDK invocations
    std::unique_ptr<ClientBudgets> budgets;   ///< of clients; shared or not
    std::unique_ptr<BudgetBeat> beat;
};

/// What is exchanged with AWS beside the calls.
struct WithAws {
    std::unique_ptr<QuotaWatch> quotas;
    std::mutex mutex;                          ///< over the rest
    std::unique_ptr<MetricsPush> push;         ///< null: metrics have never been asked for
    std::unique_ptr<IncidentWatch> incidents;  ///< null: nobody was ever to be told of incidents
    std::shared_ptr<AlarmActions> actions;     ///< null: no alarm was ever allowed to act
};

/// What is told of the requests beside GET /metrics.
struct Outlets {
    std::unique_ptr<observe::LineWriter> access_log;  ///< null: none is written
    const std::int64_t since_unix_ms = unix_ms();     ///< then the counts began
    observe::OtlpCounts points;                       ///< of metrics sent to OpenTelemetry
    std::mutex mutex;                                 ///< over the rest
    std::unique_ptr<OtlpExport> otlp;                 ///< null: there was never anywhere to send to
};

/// What files keep over a restart, and who writes them: null where there is no file.
struct Kept {
    observe::LedgerBook ledger;     ///< what calls cost
    bool may_write_ledger = false;  ///< over what is there
    std::unique_ptr<CostKeeper> costs = {};
    std::unique_ptr<StateKeeper> state = {};
};

struct Gateway::Impl {
    Impl(Config config, GatewayOptions o)
        : options(std::move(o)),
          regions(options.make_keys),
          metrics(model_labels(config), client_labels(config)),
          kept{.ledger = observe::LedgerBook(ledger_limits(config), client_labels(config),
                                             model_labels(config))} {
        first = std::move(config);
    }

    Result<std::shared_ptr<const Snapshot>> make_snapshot(Config config);
    net::Task<void> serve(net::Downstream& downstream);
    net::Task<void> serve_admin(net::Downstream& downstream);
    net::ServerLimits server_limits(const Config& config) const;
    net::ServerLimits admin_limits(const Config& config) const;
    Result<ReloadAnswer> reload(const Result<Config>& read, std::string_view by);
    Result<ReloadAnswer> take(Config config);
    Status status();
    std::vector<policy::BudgetStatus> budgets() const;
    void keep_budgets(const Config& config);
    void leave_books();
    void give_workers(const std::shared_ptr<const Snapshot>& snapshot);
    void take_findings(const FindingsByAccount& found);
    void tell_limits(const std::vector<FoundLimit>& limits);
    std::vector<prometheus::MetricFamily> scrape();
    void offer_admin();
    void feed_page();
    void push_metrics(const Config& config);
    void watch_incidents(const Config& config);
    void let_alarms_act(const Config& config);
    void export_otlp(const Config& config);
    void stop_otlp();
    std::vector<observe::Metrics::Gauges::Otlp> otlp_counts();
    std::string incidents();
    OrderReply order(const OrderText& text);
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
    Outlets outlets;
    Kept kept;
    Shared shared;
    Sources sources;
    InForce in_force;
    // The order is that of construction: loops outlive all that runs on them.
    std::vector<std::unique_ptr<net::Loop>> loops;
    std::unique_ptr<EngineGate> gate;
    std::unique_ptr<ObserveGate> shadow;
    SharedBooks books;
    std::unique_ptr<net::Timer> observed_daily;
    std::vector<std::unique_ptr<Worker>> workers;
    Listeners listeners;
    std::unique_ptr<BackgroundThread> background;
    WithAws aws;
    std::atomic<std::size_t> local_requests{0};
    bool running = false;
};

}  // namespace weir::gateway
