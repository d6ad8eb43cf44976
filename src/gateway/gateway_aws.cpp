// What asks AWS, or tells it, beside the traffic: each on a thread of its own.
#include "gateway/gateway_impl.h"

namespace weir::gateway {

/// Starts the thread that sends metrics when they are first asked for.
void Gateway::Impl::push_metrics(const Config& config) {
    if (config.aws.metrics.to == MetricsTo::off) {
        return;
    }
    const std::lock_guard lock(aws.mutex);
    if (aws.push != nullptr || !running) {
        return;
    }
    log(LogLevel::info, "metrics go to CloudWatch: " + aws::price_of_metrics(config));
    MetricsPush::Parts parts;
    parts.snapshot = [this] { return in_force.snapshot(); };
    parts.scrape = [this] { return scrape(); };
    if (outlets.access_log != nullptr) {
        parts.write_line = [this](std::string_view line) { outlets.access_log->write(line); };
    }
    parts.keys = [this] { return regions.keys(KeysWanted::of(in_force.snapshot()->config)); };
    parts.log = options.log;
    aws.push = std::make_unique<MetricsPush>(std::move(parts));
}

/// Starts the thread that watches when somebody is first to be told.
void Gateway::Impl::watch_incidents(const Config& config) {
    const IncidentsConfig& incidents = config.aws.incidents;
    if (incidents.topic.empty() && incidents.webhook.empty()) {
        return;
    }
    const std::lock_guard lock(aws.mutex);
    if (aws.incidents != nullptr || !running) {
        return;
    }
    IncidentWatch::Parts parts;
    parts.snapshot = [this] { return in_force.snapshot(); };
    parts.status = [this] { return gate->status(); };
    parts.samples = [this] { return to_samples(scrape()); };
    parts.expiry = [this] { return regions.soonest_expiry(); };
    parts.keys = [this] { return regions.keys(KeysWanted::of(in_force.snapshot()->config)); };
    parts.instance = shared.instance;
    if (config.quota_window < std::chrono::minutes(1)) {  // of tests: all goes as much faster
        parts.timing = {.open_after = 1, .resolve_after = 2, .update_every = 5};
    }
    parts.log = options.log;
    aws.incidents = std::make_unique<IncidentWatch>(std::move(parts));
}

std::string Gateway::Impl::incidents() {
    const std::lock_guard lock(aws.mutex);
    return incidents_json(
        aws.incidents == nullptr ? std::vector<aws::Incident>{} : aws.incidents->list(),
        aws.incidents != nullptr);
}

/// Starts the thread that takes what alarms say when they are first allowed to.
void Gateway::Impl::let_alarms_act(const Config& config) {
    if (config.aws.actions.empty()) {
        return;
    }
    const std::lock_guard lock(aws.mutex);
    if (aws.actions != nullptr || !running) {
        return;
    }
    AlarmActions::Parts parts;
    parts.snapshot = [this] { return in_force.snapshot(); };
    parts.gate = gate.get();
    parts.log = options.log;
    aws.actions = std::make_shared<AlarmActions>(std::move(parts));
}

}  // namespace weir::gateway
