#include "observe/status_json.h"

#include "observe/budget_json.h"
#include "observe/labels.h"
#include "observe/limits_json.h"
#include "observe/or_null.h"
#include "observe/override_json.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <ctime>
#include <map>

namespace weir::observe {
namespace {

using nlohmann::ordered_json;

const char* breaker_name(BreakerState state) {
    switch (state) {
        case BreakerState::closed:
            return "closed";
        case BreakerState::half_open:
            return "half-open";
        case BreakerState::open:
            return "open";
    }
    return "closed";
}

ordered_json paused_json(const Status& status) {
    ordered_json out = ordered_json::array();
    for (const Pause& order : status.paused) {
        out.push_back({{"client", order.client},
                       {"by", order.by},
                       {"reason", order.reason},
                       {"seconds_left", to_seconds(order.lasts)}});
    }
    return out;
}

void put_orders(ordered_json& out, const Status& status) {
    out["overrides"] = ordered_json::array();
    for (const Override& order : status.overrides) {
        ordered_json one{{"account", or_null(order.targets.account)},
                         {"region", or_null(order.targets.region)},
                         {"model", or_null(order.targets.model)}};
        one.update(override_json(order));
        out["overrides"].push_back(std::move(one));
    }
    out["shedding"] = ordered_json::array();
    for (const Shedding& order : status.shedding) {
        out["shedding"].push_back({{"priority", to_string(order.from)},
                                   {"by", order.by},
                                   {"reason", order.reason},
                                   {"seconds_left", to_seconds(order.lasts)}});
    }
    out["paused"] = paused_json(status);
}

ordered_json target_json(const TargetStatus& target) {
    ordered_json out;
    out["account"] = account_label(target.account);
    out["region"] = target.region;
    out["model"] = target.model;
    out["model_label"] = without_arn(target.model);
    out["endpoint"] = to_string(target.endpoint);
    out["tier"] =
        target.tier == Tier::unset ? ordered_json() : ordered_json(to_string(target.tier));
    out["breaker"] = breaker_name(target.breaker);
    out["breaker_seconds_left"] = to_seconds(target.breaker_left);
    out["held"] = target.held ? override_json(*target.held) : ordered_json();
    out["in_flight"] = target.in_flight;
    out["daily_closed"] = target.daily_closed;
    out["misconfigured"] = target.misconfigured;
    if (target.misconfigured) {
        out["misconfigured_because"] = {{"error", target.misconfigured_cause},
                                        {"request_id", target.misconfigured_call},
                                        {"client", target.misconfigured_client},
                                        {"for_all_clients", target.misconfigured_for_all},
                                        {"seconds_left", to_seconds(target.misconfigured_for)}};
    }
    out["prompt_cache"] = {{"kept", target.cache_kept}, {"moved", target.cache_moved}};
    out["limits"] = limits_json(target.limits);
    out["max_tokens"] = {{"mean_asked", target.mean_max_tokens},
                         {"mean_reserved", target.mean_reserved},
                         {"mean_settled_cost", target.mean_settled_cost},
                         {"usable_share", target.usable_share},
                         {"enough", target.enough_max_tokens},
                         {"right_sized", target.right_sized},
                         {"truncated", target.truncated}};
    out["mean_service_seconds"] = target.mean_service_seconds;
    out["estimate_ratio"] = target.estimate_ratio;
    return out;
}

/// Of each client that the engine or a budget knows.
ordered_json clients_of(const std::vector<ClientStatus>& clients,
                        const std::vector<policy::BudgetStatus>& budgets) {
    std::map<std::string_view, const policy::BudgetStatus*> left;
    for (const policy::BudgetStatus& budget : budgets) {
        left[budget.client] = &budget;
    }
    ordered_json out = ordered_json::array();
    const auto put = [&](const ClientStatus& client, const policy::BudgetStatus* budget) {
        ordered_json one;
        one["name"] = client.name;
        one["waiting"] = client.waiting;
        one["limits"] = limits_json(client.limits);
        one["budget"] = budget == nullptr ? ordered_json() : budget_json(*budget);
        out.push_back(std::move(one));
    };
    for (const ClientStatus& client : clients) {
        const auto budget = left.find(client.name);
        put(client, budget == left.end() ? nullptr : budget->second);
        left.erase(client.name);
    }
    for (const auto& [name, budget] : left) {
        put({.name = std::string(name), .limits = {}}, budget);
    }
    return out;
}

}  // namespace

std::string iso_time(std::int64_t unix_ms) {
    const auto seconds = static_cast<std::time_t>(unix_ms / 1000);
    std::tm parts{};
    std::array<char, 32> text{};
    gmtime_r(&seconds, &parts);
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

// A limit that is not known yet is null, never 0: nothing is allowed nowhere.
ordered_json limits_json(const std::vector<LimitStatus>& limits) {
    ordered_json out = ordered_json::array();
    for (const LimitStatus& limit : limits) {
        ordered_json one;
        one["kind"] = to_string(limit.kind);
        one["limit"] = limit.limit == 0 ? ordered_json() : ordered_json(limit.limit);
        one["used"] = limit.used;
        one["reserved"] = limit.reserved;
        one["learned"] = limit.learned;
        one["by_instances"] = limit.by_instances;
        one["foreign"] = limit.foreign;
        one["accepted_peak"] = limit.accepted_peak;
        one["confirmed_seconds_ago"] =
            limit.learned ? ordered_json(to_seconds(limit.confirmed_ago)) : ordered_json();
        out.push_back(std::move(one));
    }
    return out;
}

std::string targets_json(const Status& status) {
    ordered_json out;
    out["targets"] = ordered_json::array();
    for (const TargetStatus& target : status.targets) {
        const ordered_json all = target_json(target);
        ordered_json one;
        for (const char* name : {"account", "region", "model", "endpoint", "tier", "breaker",
                                 "held", "in_flight", "daily_closed", "misconfigured"}) {
            one[name] = all[name];
        }
        out["targets"].push_back(std::move(one));
    }
    put_orders(out, status);
    return out.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

std::string clients_json(const Status& status, const std::vector<policy::BudgetStatus>& budgets) {
    const ordered_json out{{"clients", clients_of(status.clients, budgets)},
                           {"paused", paused_json(status)}};
    return out.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

std::string observed_line(const policy::ObservedRow& row) {
    const policy::ObservedCounts& c = row.counts;
    const double mean = c.would_wait > 0 ? c.wait_seconds / static_cast<double>(c.would_wait) : 0;
    const double vain =
        c.reserved > c.settled && c.reserved > 0
            ? 100 * (1 - static_cast<double>(c.settled) / static_cast<double>(c.reserved))
            : 0;
    const auto rounded = [](double value) {
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%.1f", value);
        return std::string(text.data());
    };
    return "observed " + row.model + " for " + (row.client.empty() ? "(none)" : row.client) + ": " +
           std::to_string(c.calls) + " calls; would have queued " + std::to_string(c.would_wait) +
           " (mean " + rounded(mean) + " s, longest " + rounded(c.longest_wait_seconds) +
           " s), refused " + std::to_string(c.would_refuse) + ", moved " +
           std::to_string(c.would_move) + ", right-sized " + std::to_string(c.would_right_size) +
           "; max_tokens held " + rounded(vain) + " % of what was reserved in vain; as it was, " +
           std::to_string(c.throttled) + " were throttled and " + std::to_string(c.failed) +
           " failed";
}

std::string status_json(const Status& status, const std::vector<policy::ObservedRow>& observed,
                        const ConfigurationStatus& configuration,
                        const std::vector<policy::ObservedAdvice>& advice,
                        const std::vector<policy::BudgetStatus>& budgets, int indent) {
    ordered_json out;
    out["version"] = WEIR_VERSION;
    out["configuration"] = {{"hash", configuration.hash},
                            {"since", iso_time(configuration.since_unix_ms)},
                            {"needs_restart", configuration.needs_restart}};
    out["waiting_calls"] = status.waiting_calls;
    out["waiting_bytes"] = status.waiting_bytes;
    out["in_flight"] = status.in_flight;
    out["targets"] = ordered_json::array();
    for (const TargetStatus& target : status.targets) {
        out["targets"].push_back(target_json(target));
    }
    out["clients"] = clients_of(status.clients, budgets);
    put_orders(out, status);
    out["waiting"] = ordered_json::array();
    for (const WaitingStatus& waiting : status.waiting) {
        ordered_json one;
        one["model"] = waiting.model;
        one["priority"] = to_string(waiting.priority);
        one["calls"] = waiting.calls;
        out["waiting"].push_back(std::move(one));
    }
    out["skipped"] = ordered_json::array();
    for (const SkippedStatus& skipped : status.skipped) {
        ordered_json one;
        one["region"] = skipped.region;
        one["model"] = skipped.model;
        one["reason"] = skipped.reason;
        one["calls"] = skipped.calls;
        out["skipped"].push_back(std::move(one));
    }
    out["shared"] = ordered_json::array();
    for (const SharedStatus& shared : status.shared) {
        out["shared"].push_back({{"quota", shared.quota},
                                 {"mode", shared.joined ? "joined" : "alone"},
                                 {"instances", shared.instances}});
    }
    out["observed"] = ordered_json::array();
    for (const policy::ObservedRow& row : observed) {
        const policy::ObservedCounts& c = row.counts;
        out["observed"].push_back({{"model", row.model},
                                   {"client", row.client},
                                   {"calls", c.calls},
                                   {"would_wait", c.would_wait},
                                   {"wait_seconds", c.wait_seconds},
                                   {"longest_wait_seconds", c.longest_wait_seconds},
                                   {"would_refuse", c.would_refuse},
                                   {"would_move", c.would_move},
                                   {"would_right_size", c.would_right_size},
                                   {"reserved", c.reserved},
                                   {"settled", c.settled},
                                   {"throttled", c.throttled},
                                   {"failed", c.failed}});
    }
    out["advice"] = ordered_json::array();
    for (const policy::ObservedAdvice& one : advice) {
        out["advice"].push_back({{"model", one.model},
                                 {"text", one.text},
                                 {"raise_requests_to", or_null(one.raise_requests_to)},
                                 {"raise_tokens_to", or_null(one.raise_tokens_to)},
                                 {"lower_max_tokens_to", or_null(one.lower_max_tokens_to)}});
    }
    return out.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace weir::observe
