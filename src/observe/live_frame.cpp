#include "observe/live_frame.h"

#include "observe/budget_json.h"
#include "observe/labels.h"
#include "observe/limits_json.h"
#include "observe/override_json.h"
#include "policy/eligibility.h"
#include "policy/overrides.h"
#include "policy/tariff.h"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <set>
#include <utility>

namespace weir::observe {
namespace {

using nlohmann::ordered_json;

ordered_json of_client(const std::string& name, const ClientConfig* config) {
    ordered_json one{{"name", name}};
    if (config != nullptr) {
        one["share"] = config->share;
        one["priority"] = to_string(config->priority);
    }
    return one;
}

/// The configured clients and those that have asked for something.
ordered_json clients_json(const LiveFrame& frame, const Status& status, const LiveCounts& counts) {
    struct Client {
        const ClientConfig* config = nullptr;
        const ClientStatus* status = nullptr;
        const LiveCounts::Client* counts = nullptr;
        const policy::BudgetStatus* budget = nullptr;
    };
    std::map<std::string_view, Client> all;
    for (const ClientConfig& one : frame.config->clients) {
        all[one.name].config = &one;
    }
    for (const ClientStatus& one : status.clients) {
        all[or_nobody(one.name)].status = &one;
    }
    for (const auto& [name, one] : counts.clients) {
        all[name].counts = &one;
    }
    for (const policy::BudgetStatus& one : frame.budgets) {
        all[one.client].budget = &one;
    }
    ordered_json out = ordered_json::array();
    for (const auto& [name, client] : all) {
        ordered_json one = of_client(std::string(name), client.config);
        if (client.status != nullptr) {
            one["waiting"] = client.status->waiting;
            one["limits"] = limits_json(client.status->limits);
        }
        if (client.counts != nullptr) {
            one["outcomes"] = client.counts->outcomes;
            one["quota_tokens"] = client.counts->quota_tokens;
            one["unused_tokens"] = client.counts->unused_tokens;
        }
        if (frame.spent_today) {
            one["spent_today_usd"] = static_cast<double>(frame.spent_today(name)) / kNanoOfDollar;
        }
        if (client.budget != nullptr) {
            one["budget"] = budget_json(*client.budget);
        }
        out.push_back(std::move(one));
    }
    return out;
}

ordered_json counts_json(const LiveCounts& counts) {
    ordered_json attempts = ordered_json::array();
    for (const auto& [target, results] : counts.attempts) {
        const auto& [account, region, model] = target;
        attempts.push_back(
            {{"account", account}, {"region", region}, {"model", model}, {"results", results}});
    }
    ordered_json flows = ordered_json::array();
    for (const auto& [flow, answers] : counts.fallbacks) {
        const auto& [from_region, from_model, to_region, to_model] = flow;
        flows.push_back({{"from_region", from_region},
                         {"from_model", from_model},
                         {"to_region", to_region},
                         {"to_model", to_model},
                         {"answers", answers}});
    }
    return {{"outcomes", counts.outcomes},
            {"refusals", counts.refusals},
            {"rescued", counts.rescued},
            {"attempts", std::move(attempts)},
            {"flows", std::move(flows)}};
}

Target target_of(const TargetStatus& t) {
    return {.region = t.region,
            .model = t.model,
            .endpoint = t.endpoint,
            .tier = t.tier,
            .account = t.account};
}

std::vector<LimitStatus> configured_limits(const QuotaConfig& quota, double share) {
    std::vector<LimitStatus> limits;
    const auto add = [&](LimitKind kind, const std::optional<std::uint64_t>& limit) {
        if (limit) {
            limits.push_back(
                {.kind = kind,
                 .limit = static_cast<std::uint64_t>(share * static_cast<double>(*limit))});
        }
    };
    add(LimitKind::requests, quota.requests_per_minute);
    add(LimitKind::tokens, quota.tokens_per_minute);
    add(LimitKind::input_tokens, quota.input_tokens_per_minute);
    add(LimitKind::output_tokens, quota.output_tokens_per_minute);
    add(LimitKind::daily_tokens, quota.tokens_per_day);
    return limits;
}

ordered_json quantiles_json(const Quantiles& q) {
    if (q.count == 0) {
        return {};
    }
    return {{"count", q.count}, {"half", q.half}, {"most", q.most}, {"beyond", q.beyond}};
}

ordered_json latency_json(const RecentLatencies& latencies) {
    ordered_json out = ordered_json::array();
    for (const auto& [model, one] : latencies.last_minute()) {
        out.push_back({{"model", model},
                       {"request", quantiles_json(one.request)},
                       {"first_token", quantiles_json(one.first_token)},
                       {"queue", quantiles_json(one.queue)}});
    }
    return out;
}

}  // namespace

std::string unused_json(const Config& config, const Status& status) {
    constexpr std::size_t kMost = 500;
    std::set<Target> seen;
    for (const TargetStatus& t : status.targets) {
        seen.insert(target_of(t));
    }
    ordered_json out = ordered_json::array();
    for (const RouteConfig& route : config.routes) {
        for (const RouteTarget& place : route.targets) {
            const Target target = policy::target_of(place, route.model);
            if (out.size() == kMost || !seen.insert(target).second) {
                continue;
            }
            const Override* order = policy::in_force(status.overrides, target);
            const policy::Tariff tariff = policy::tariff_of(config, target);
            // Of a quota that other models use too it would not be true that nothing is used.
            const bool own = tariff.quota != nullptr && tariff.quota->models.size() == 1;
            out.push_back(
                {{"account", account_label(target.account)},
                 {"region", target.region},
                 {"model", target.model},
                 {"model_label", without_arn(target.model)},
                 {"endpoint", to_string(target.endpoint)},
                 {"tier", target.tier == Tier::unset ? ordered_json()
                                                     : ordered_json(to_string(target.tier))},
                 {"held", order == nullptr ? ordered_json() : override_json(*order)},
                 {"limits", own ? limits_json(configured_limits(*tariff.quota, config.quota_share))
                                : ordered_json::array()}});
        }
    }
    return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string live_frame_json(const LiveFrame& frame, Status status, const LiveCounts& counts,
                            const RecentLatencies& latencies) {
    ordered_json out;
    out["time_ms"] = frame.unix_ms;
    out["instance"] = frame.instance;
    out["mode"] = frame.config->mode == Mode::observe ? "observe" : "enforce";
    out["quota_window_seconds"] = to_seconds(frame.config->quota_window);
    out["reload"] = frame.reload_offered;
    out["connections"] = {{"active", counts.connections_active}, {"idle", counts.connections_idle}};
    out["streams"] = static_cast<std::uint64_t>(counts.streams);
    out["store"] = counts.store_joined < 0 ? ordered_json()
                                           : ordered_json{{"joined", counts.store_joined > 0},
                                                          {"instances", counts.instances}};
    out["clients"] = clients_json(frame, status, counts);
    out["counts"] = counts_json(counts);
    out["latency"] = latency_json(latencies);
    status.clients.clear();
    std::string text = out.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    text.pop_back();
    text.append(",\"unused\":").append(unused_json(*frame.config, status));
    text.append(",\"status\":").append(status_json(status, {}, frame.configuration, {}, {}, -1));
    text.append(",\"incidents\":").append(frame.incidents).append("}");
    return text;
}

}  // namespace weir::observe
