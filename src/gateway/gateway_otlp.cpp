// What tells an OpenTelemetry collector.
#include "gateway/gateway_impl.h"
#include "gateway/tracing.h"

#include <utility>

namespace weir::gateway {

/// Starts the thread that sends when there is first somewhere to send to.
void Gateway::Impl::export_otlp(const Config& config) {
    if (!traces_on(config.otlp) && !otlp_metrics_on(config.otlp)) {
        return;
    }
    const std::lock_guard lock(outlets.mutex);
    if (outlets.otlp != nullptr || !running) {
        return;
    }
    OtlpExport::Parts parts;
    parts.snapshot = [this] { return in_force.snapshot(); };
    parts.scrape = [this] { return scrape(); };
    parts.gen_ai = [this] { return metrics.gen_ai(); };
    parts.spans = &shared.spans;
    parts.points = &outlets.points;
    parts.instance = shared.instance;
    parts.started_unix_ms = outlets.since_unix_ms;
    parts.seed = options.seed;
    parts.log = options.log;
    outlets.otlp = std::make_unique<OtlpExport>(std::move(parts));
}

/// Sends what is left. Blocks.
void Gateway::Impl::stop_otlp() {
    std::unique_ptr<OtlpExport> otlp;  // a scrape takes the lock, so it ends without
    {
        const std::lock_guard lock(outlets.mutex);
        otlp = std::move(outlets.otlp);
    }
}

std::vector<observe::Metrics::Gauges::Otlp> Gateway::Impl::otlp_counts() {
    {
        const std::lock_guard lock(outlets.mutex);
        if (outlets.otlp == nullptr) {
            return {};
        }
    }
    std::vector<observe::Metrics::Gauges::Otlp> all;
    for (const auto& [signal, counts] : {std::pair("traces", &std::as_const(shared.spans.counts)),
                                         std::pair("metrics", &std::as_const(outlets.points))}) {
        observe::Metrics::Gauges::Otlp one{signal, counts->sent.load(), {}};
        for (std::size_t i = 0; i < observe::kOtlpDrops.size(); ++i) {
            one.dropped.emplace_back(observe::kOtlpDrops[i], counts->dropped[i].load());
        }
        all.push_back(std::move(one));
    }
    return all;
}

}  // namespace weir::gateway
