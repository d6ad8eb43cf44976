#include "gateway/incident_conditions.h"

#include "policy/eligibility.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace weir::gateway {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kRemembered = 300;  // seconds
constexpr double kDying = 300;             // seconds until credentials expire

std::string label(const aws::Sample& sample, std::string_view name) {
    for (const auto& [key, value] : sample.labels) {
        if (key == name) {
            return value;
        }
    }
    return "";
}

std::map<std::string, std::uint64_t> difference(const std::map<std::string, std::uint64_t>& now,
                                                const std::map<std::string, std::uint64_t>& then) {
    std::map<std::string, std::uint64_t> out;
    for (const auto& [key, count] : now) {
        const auto at = then.find(key);
        const std::uint64_t before = at == then.end() ? 0 : at->second;
        if (count > before) {
            out[key] = count - before;
        }
    }
    return out;
}

bool is_usable(const TargetStatus& target) {
    return target.breaker != BreakerState::open && !target.daily_closed &&
           !(target.misconfigured && target.misconfigured_for_all);
}

std::string state_of(const TargetStatus& target) {
    if (target.daily_closed) {
        return "the day's quota is gone";
    }
    if (target.misconfigured) {
        return "misconfigured";
    }
    return target.breaker == BreakerState::open ? "breaker open" : "usable";
}

/// The last five minutes, for whoever looks for the cause.
Json evidence(const IncidentCounts& recent, const AlarmsConfig& alarms, const char* runbook) {
    Json errors = Json::array();
    for (const auto& [what, count] : recent.attempts) {
        if (!what.ends_with(" ok")) {
            errors.push_back(what);
        }
    }
    std::string link = alarms.runbooks.empty() ? "docs/runbooks" : alarms.runbooks;
    link += (link.ends_with('/') ? "" : "/") + std::string(runbook) + ".md";
    return {{"last_5_minutes",
             {{"attempts_by_region_and_result", recent.attempts},
              {"requests_by_outcome", recent.outcomes},
              {"weir_rescued", recent.rescued},
              {"weir_fell_back", recent.fallbacks}}},
            {"error_types", errors},
            {"runbook", link}};
}

/// Those of `route` that have had traffic; a target that was never used says nothing.
std::vector<const TargetStatus*> targets_of(const RouteConfig& route, const Status& status) {
    std::vector<const TargetStatus*> out;
    for (const RouteTarget& target : route.targets) {
        const Target wanted = policy::target_of(target, route.model);
        const auto found = std::ranges::find_if(status.targets, [&](const TargetStatus& one) {
            return Target{one.region, one.model, one.endpoint, one.tier, one.account} == wanted;
        });
        if (found != status.targets.end()) {
            out.push_back(&*found);
        }
    }
    return out;
}

}  // namespace

IncidentCounts IncidentCounts::of(const std::vector<aws::Sample>& samples) {
    IncidentCounts out;
    for (const aws::Sample& one : samples) {
        const auto count = static_cast<std::uint64_t>(std::max(0.0, one.value));
        if (one.name == "weir_attempts_total") {
            out.attempts[label(one, "region") + " " + label(one, "result")] += count;
        } else if (one.name == "weir_requests_total") {
            out.outcomes[label(one, "outcome")] += count;
        } else if (one.name == "weir_rescued_total") {
            out.rescued += count;
        } else if (one.name == "weir_fallbacks_total") {
            out.fallbacks += count;
        }
    }
    return out;
}

IncidentCounts IncidentCounts::since(const IncidentCounts& before) const {
    return {difference(attempts, before.attempts), difference(outcomes, before.outcomes),
            rescued - std::min(rescued, before.rescued),
            fallbacks - std::min(fallbacks, before.fallbacks)};
}

std::pair<std::uint64_t, std::uint64_t> IncidentCounts::good_and_bad() const {
    std::uint64_t good = 0;
    std::uint64_t bad = 0;
    for (const auto& [outcome, count] : outcomes) {
        if (outcome == "ok") {
            good += count;
        } else if (outcome == "throttled" || outcome == "unavailable" ||
                   outcome == "server_error" || outcome == "broken_stream" ||
                   outcome == "deadline") {
            bad += count;
        }
    }
    return {good, bad};
}

std::vector<aws::Condition> IncidentConditions::update(const Config& config, const Status& status,
                                                       const std::vector<aws::Sample>& samples,
                                                       std::optional<double> expiry,
                                                       std::int64_t now) {
    const IncidentCounts counts = IncidentCounts::of(samples);
    history_.emplace_back(now, counts);
    while (history_.size() > 1 && history_[1].first <= now - kRemembered) {
        history_.pop_front();
    }
    const IncidentCounts recent = counts.since(history_.front().second);
    const AlarmsConfig& alarms = config.aws.alarms;
    std::vector<aws::Condition> out;

    for (const RouteConfig& route : config.routes) {
        const auto targets = targets_of(route, status);
        if (targets.empty() || targets.size() < route.targets.size() ||
            std::ranges::any_of(targets, [](const auto* one) { return is_usable(*one); })) {
            continue;
        }
        Json data = evidence(recent, alarms, "availability");
        for (const TargetStatus* one : targets) {
            data["targets"].push_back(
                {{"region", one->region}, {"model", one->model}, {"state", state_of(*one)}});
        }
        out.push_back({"no_target/" + route.model, "CRITICAL", "No target left for " + route.model,
                       "Every target of this route is closed. weir probes them, and refuses calls "
                       "with 503 until one answers.",
                       std::move(data)});
    }
    const auto [good, bad] = counts.good_and_bad();
    const auto burn = burn_.update(good, bad, alarms.success_percent, now);
    if (burn.burns) {
        out.push_back(
            {"slo", "HIGH",
             "Clients get too few answers: " + std::to_string(std::lround(100 * burn.failed_5m)) +
                 " % failed in 5 minutes",
             "More requests fail than aws.alarms.success_percent allows, over 5 and over "
             "30 minutes. weir retries, queues and moves calls as configured.",
             evidence(recent, alarms, "availability")});
    }
    std::set<std::string> gone;
    for (const TargetStatus& one : status.targets) {
        if (one.daily_closed && gone.insert(one.account + one.region + one.model).second) {
            out.push_back({"day/" + one.account + "/" + one.region + "/" + one.model, "HIGH",
                           "The day's quota of " + one.model + " in " + one.region + " is gone",
                           "weir sends nothing there until the day ends, and uses the other "
                           "targets of the route.",
                           evidence(recent, alarms, "throttles")});
        }
    }
    if (expiry && *expiry < kDying) {
        out.push_back({"credentials", "CRITICAL", "Credentials are about to expire",
                       "They were not renewed in time. Without others nothing can be signed; weir "
                       "goes on looking for them.",
                       evidence(recent, alarms, "availability")});
    }
    return out;
}

}  // namespace weir::gateway
