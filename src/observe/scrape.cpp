#include "observe/scrape.h"

#include <prometheus/text_serializer.h>
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace weir::observe {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<std::pair<const char*, std::string>>;
enum class Merge : std::uint8_t { sum, max };

// One metric read at scrape time; equal label sets become one series.
class Read {
public:
    Read(const char* name, const char* help, MetricType type, Merge merge = Merge::sum)
        : merge_(merge) {
        family_.name = name;
        family_.help = help;
        family_.type = type;
    }

    void set(Labels labels, double value) {
        const auto [at, added] = values_.try_emplace(std::move(labels), value);
        if (!added) {
            at->second = merge_ == Merge::sum ? at->second + value : std::max(at->second, value);
        }
    }

    void append_to(std::vector<MetricFamily>& out) {
        for (const auto& [labels, value] : values_) {
            ClientMetric metric;
            for (const auto& [name, text] : labels) {
                metric.label.push_back({name, text});
            }
            (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) =
                value;
            family_.metric.push_back(std::move(metric));
        }
        if (!family_.metric.empty()) {
            out.push_back(std::move(family_));
        }
    }

private:
    Merge merge_;
    MetricFamily family_;
    std::map<Labels, double> values_;
};

void append_targets(std::vector<MetricFamily>& out, const Status& status,
                    const std::function<std::string_view(std::string_view)>& model_label) {
    Read limit("weir_quota_limit", "Quota of a window or a day, configured or learned.",
               MetricType::Gauge);
    Read used("weir_quota_used", "Settled and reserved in the running window or day.",
              MetricType::Gauge);
    Read breaker("weir_breaker_state", "0 closed, 1 half-open, 2 open.", MetricType::Gauge,
                 Merge::max);
    Read cache(
        "weir_prompt_cache_calls_total",
        "Calls of conversations with a prompt cache, sent to the target that has it (kept) or "
        "to another (moved).",
        MetricType::Counter);
    std::set<Target> pools;
    for (const TargetStatus& target : status.targets) {
        const std::string model(model_label(target.model));
        Labels place{{"account", "default"}, {"region", target.region}, {"model", model}};
        if (target.endpoint != Endpoint::runtime) {
            place.emplace_back("endpoint", to_string(target.endpoint));
        }
        Labels tier = place;
        if (target.tier != Tier::unset) {
            tier.emplace_back("tier", to_string(target.tier));
        }
        breaker.set(tier, static_cast<double>(target.breaker));
        for (const auto& [result, calls] :
             {std::pair("kept", target.cache_kept), std::pair("moved", target.cache_moved)}) {
            if (calls > 0) {
                Labels labels = place;
                labels.emplace_back("result", result);
                cache.set(std::move(labels), static_cast<double>(calls));
            }
        }
        const bool reserved = target.tier == Tier::reserved;
        if (reserved) {
            place = std::move(tier);
        }
        // Tiers that share a pool show it once.
        if (!pools
                 .insert({target.region, target.model, target.endpoint,
                          reserved ? Tier::reserved : Tier::unset})
                 .second) {
            continue;
        }
        for (const LimitStatus& one : target.limits) {
            if (one.kind == LimitKind::none) {
                continue;
            }
            Labels labels = place;
            labels.emplace_back("kind", to_string(one.kind));
            used.set(labels, static_cast<double>(one.used));
            if (one.limit > 0) {  // 0: not known yet
                limit.set(std::move(labels), static_cast<double>(one.limit));
            }
        }
    }
    Read waiting("weir_waiting", "Calls in the queue.", MetricType::Gauge);
    for (const WaitingStatus& one : status.waiting) {
        waiting.set({{"model", std::string(model_label(one.model))},
                     {"priority", std::string(to_string(one.priority))}},
                    static_cast<double>(one.calls));
    }
    Read skipped("weir_target_skipped_total", "Calls that passed a target over, by reason.",
                 MetricType::Counter);
    for (const SkippedStatus& one : status.skipped) {
        skipped.set({{"region", one.region},
                     {"model", std::string(model_label(one.model))},
                     {"reason", one.reason}},
                    static_cast<double>(one.calls));
    }
    for (Read* read : {&limit, &used, &breaker, &cache, &waiting, &skipped}) {
        read->append_to(out);
    }
}

void append_observed(std::vector<MetricFamily>& out, const std::vector<policy::ObservedRow>& rows,
                     const std::function<std::string_view(std::string_view)>& model_label) {
    Read calls("weir_observed_total",
               "Calls let through as they came, by what would have been done with them.",
               MetricType::Counter);
    Read waits("weir_observed_wait_seconds_total", "Time that calls would have waited.",
               MetricType::Counter);
    Read vain("weir_observed_reserved_unused_tokens_total",
              "What max_tokens would have held in vain.", MetricType::Counter);
    for (const policy::ObservedRow& row : rows) {
        const policy::ObservedCounts& c = row.counts;
        const Labels whose{{"model", std::string(model_label(row.model))}, {"client", row.client}};
        const auto count = [&](const char* verdict, std::uint64_t value) {
            Labels labels = whose;
            labels.emplace_back("verdict", verdict);
            calls.set(std::move(labels), static_cast<double>(value));
        };
        count("seen", c.calls);
        count("wait", c.would_wait);
        count("refuse", c.would_refuse);
        count("move", c.would_move);
        count("right_size", c.would_right_size);
        waits.set(whose, c.wait_seconds);
        vain.set(whose, static_cast<double>(c.reserved - std::min(c.reserved, c.settled)));
    }
    for (Read* read : {&calls, &waits, &vain}) {
        read->append_to(out);
    }
}

}  // namespace

void append_gauges(std::vector<MetricFamily>& out, const Metrics::Gauges& gauges,
                   const std::function<std::string_view(std::string_view)>& model_label) {
    append_targets(out, gauges.status, model_label);
    append_observed(out, gauges.observed, model_label);

    Read connections("weir_connections", "Open connections.", MetricType::Gauge);
    Read pool_limit("weir_pool_limit", "The most upstream connections a Region may have.",
                    MetricType::Gauge);
    connections.set({{"side", "client"}, {"state", "active"}},
                    static_cast<double>(gauges.client_active));
    connections.set({{"side", "client"}, {"state", "idle"}},
                    static_cast<double>(gauges.client_idle));
    for (const Metrics::Gauges::Pool& pool : gauges.pools) {
        const Labels place{{"side", "upstream"}, {"region", pool.region}};
        Labels active = place;
        active.emplace_back("state", "active");
        connections.set(std::move(active), static_cast<double>(pool.active));
        Labels idle = place;
        idle.emplace_back("state", "idle");
        connections.set(std::move(idle), static_cast<double>(pool.idle));
        pool_limit.set(place, static_cast<double>(pool.limit));
    }
    Read share("weir_quota_share", "This instance's part of every quota.", MetricType::Gauge);
    share.set({}, gauges.quota_share);
    Read expiry("weir_credentials_expiry_seconds", "Until the credentials in use expire.",
                MetricType::Gauge);
    if (gauges.credentials_expiry_seconds) {
        expiry.set({}, *gauges.credentials_expiry_seconds);
    }
    Read dropped("weir_log_dropped_total", "Access log lines lost because nobody took them.",
                 MetricType::Counter);
    dropped.set({}, static_cast<double>(gauges.log_dropped));
    Read unclean("weir_unclean_fields_total",
                 "Head lines that were cleaned of a CR, LF or NUL as they were written: a fault of "
                 "weir's.",
                 MetricType::Counter);
    unclean.set({}, static_cast<double>(gauges.unclean_lines));
    Read config("weir_config_info", "1, with the hash of the configuration in force.",
                MetricType::Gauge);
    config.set({{"hash", gauges.configuration.hash}}, 1);
    Read since("weir_config_applied_timestamp_seconds",
               "When that configuration took effect, in seconds since 1970.", MetricType::Gauge);
    since.set({}, static_cast<double>(gauges.configuration.since_unix_ms) / 1000);
    Read restart("weir_config_restart_needed",
                 "Settings of the file that only a restart takes over.", MetricType::Gauge);
    restart.set({}, static_cast<double>(gauges.configuration.needs_restart.size()));
    Read build("weir_build_info", "1, with the version that runs.", MetricType::Gauge);
    build.set({{"version", WEIR_VERSION}}, 1);
    for (Read* read : {&connections, &pool_limit, &share, &expiry, &dropped, &unclean, &config,
                       &since, &restart, &build}) {
        read->append_to(out);
    }
}

std::string to_text(const std::vector<MetricFamily>& families) {
    return prometheus::TextSerializer().Serialize(families);
}

}  // namespace weir::observe
