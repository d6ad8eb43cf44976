#include "observe/scrape.h"

#include <prometheus/text_serializer.h>
#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace weir::observe {
namespace {

using ModelLabel = std::function<std::string_view(std::string_view)>;

void read_targets(EngineFamilies& out, const Status& status, const ModelLabel& model_label) {
    std::set<Target> pools;
    for (const TargetStatus& target : status.targets) {
        const std::string model(model_label(target.model));
        const std::string account(account_label(target.account));
        const std::string endpoint(
            target.endpoint == Endpoint::runtime ? "" : to_string(target.endpoint));
        const std::string tier(to_string(target.tier));
        out.breaker_state.set({account, target.region, model, endpoint, tier},
                              static_cast<double>(target.breaker));
        if (target.held) {
            out.target_held.set(
                {account, target.region, model, std::string(to_string(target.held->hold))}, 1);
        }
        for (const auto& [result, calls] :
             {std::pair("kept", target.cache_kept), std::pair("moved", target.cache_moved)}) {
            if (calls > 0) {
                out.prompt_cache_calls.set({account, target.region, model, endpoint, result},
                                           static_cast<double>(calls));
            }
        }
        // Tiers that share a pool show it once.
        const bool reserved = target.tier == Tier::reserved;
        if (!pools
                 .insert({target.region, target.model, target.endpoint,
                          reserved ? Tier::reserved : Tier::unset, target.account})
                 .second) {
            continue;
        }
        for (const LimitStatus& one : target.limits) {
            if (one.kind == LimitKind::none) {
                continue;
            }
            const std::vector<std::string> labels{
                account,  target.region,        model,
                endpoint, reserved ? tier : "", std::string(to_string(one.kind))};
            out.quota_used.set(labels, static_cast<double>(one.used));
            if (one.limit > 0) {  // 0: not known yet
                out.quota_limit.set(labels, static_cast<double>(one.limit));
            }
        }
    }
    for (const WaitingStatus& one : status.waiting) {
        out.waiting.set({std::string(model_label(one.model)), std::string(to_string(one.priority))},
                        static_cast<double>(one.calls));
    }
    for (const Shedding& one : status.shedding) {
        out.shedding.set({std::string(to_string(one.from))}, 1);
    }
    for (const Pause& one : status.paused) {
        out.client_paused.set({one.client}, 1);
    }
    for (const SkippedStatus& one : status.skipped) {
        out.target_skipped.set({one.region, std::string(model_label(one.model)), one.reason},
                               static_cast<double>(one.calls));
    }
}

void read_observed(EngineFamilies& out, const std::vector<policy::ObservedRow>& rows,
                   const ModelLabel& model_label) {
    for (const policy::ObservedRow& row : rows) {
        const policy::ObservedCounts& c = row.counts;
        const std::string model(model_label(row.model));
        for (const auto& [verdict, calls] :
             {std::pair("seen", c.calls), std::pair("wait", c.would_wait),
              std::pair("refuse", c.would_refuse), std::pair("move", c.would_move),
              std::pair("right_size", c.would_right_size)}) {
            out.observed.set({model, row.client, verdict}, static_cast<double>(calls));
        }
        out.observed_wait.set({model, row.client}, c.wait_seconds);
        out.observed_unused.set({model, row.client},
                                static_cast<double>(c.reserved - std::min(c.reserved, c.settled)));
    }
}

void read_budgets(BudgetFamilies& out, const std::vector<policy::BudgetStatus>& budgets) {
    for (const policy::BudgetStatus& budget : budgets) {
        for (const auto& standing : {budget.day, budget.month}) {
            if (standing) {
                const std::vector<std::string> labels{budget.client,
                                                      std::string(to_string(standing->period))};
                out.used.set(labels, standing->spent / standing->budget);
                out.usd.set(labels, standing->budget);
            }
        }
    }
}

}  // namespace

void read_gauges(Families& families, const Metrics::Gauges& gauges, const ModelLabel& model_label) {
    read_targets(families.engine, gauges.status, model_label);
    read_observed(families.engine, gauges.observed, model_label);
    read_budgets(families.budgets, gauges.budgets);
    InstanceFamilies& out = families.instance;
    out.connections.set({"client", "", "active"}, static_cast<double>(gauges.client_active));
    out.connections.set({"client", "", "idle"}, static_cast<double>(gauges.client_idle));
    out.streams.set({}, static_cast<double>(gauges.streams));
    for (const Metrics::Gauges::Pool& pool : gauges.pools) {
        out.connections.set({"upstream", pool.region, "active"}, static_cast<double>(pool.active));
        out.connections.set({"upstream", pool.region, "idle"}, static_cast<double>(pool.idle));
        out.pool_limit.set({"upstream", pool.region}, static_cast<double>(pool.limit));
    }
    out.quota_share.set({}, gauges.quota_share);
    if (gauges.shared) {
        bool joined = gauges.shared->up;
        std::uint32_t instances = 1;
        for (const SharedStatus& quota : gauges.status.shared) {
            joined = joined && quota.joined;
            instances = std::max(instances, quota.instances);
        }
        out.shared_joined.set({}, joined ? 1 : 0);
        out.shared_instances.set({}, instances);
        out.shared_commands.set({}, static_cast<double>(gauges.shared->commands));
        for (const auto& [reason, count] : gauges.shared->failures) {
            out.shared_failures.set({reason}, static_cast<double>(count));
        }
    }
    if (gauges.cloudwatch) {
        for (const auto& [result, count] : {std::pair("sent", gauges.cloudwatch->sent),
                                            std::pair("dropped", gauges.cloudwatch->dropped),
                                            std::pair("left_out", gauges.cloudwatch->left_out)}) {
            out.cloudwatch_data.set({result}, static_cast<double>(count));
        }
    }
    for (const Metrics::Gauges::Otlp& one : gauges.otlp) {
        const std::string signal(one.signal);
        out.otlp_sent.set({signal}, static_cast<double>(one.sent));
        for (const auto& [reason, count] : one.dropped) {
            out.otlp_dropped.set({signal, std::string(reason)}, static_cast<double>(count));
        }
    }
    for (const auto& [result, count] : gauges.sns_messages) {
        if (count > 0) {
            out.sns_messages.set({std::string(result)}, static_cast<double>(count));
        }
    }
    if (gauges.credentials_expiry_seconds) {
        out.credentials_expiry.set({}, *gauges.credentials_expiry_seconds);
    }
    out.log_dropped.set({}, static_cast<double>(gauges.log_dropped));
    out.unclean_fields.set({}, static_cast<double>(gauges.unclean_lines));
    const ConfigurationStatus& configuration = gauges.configuration;
    out.config_info.set({configuration.hash}, 1);
    out.config_applied.set({}, static_cast<double>(configuration.since_unix_ms) / 1000);
    out.config_restart_needed.set({}, static_cast<double>(configuration.needs_restart.size()));
    out.build_info.set({WEIR_VERSION}, 1);
}

std::string to_text(const std::vector<prometheus::MetricFamily>& families) {
    return prometheus::TextSerializer().Serialize(families);
}

}  // namespace weir::observe
