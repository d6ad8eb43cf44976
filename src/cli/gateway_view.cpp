#include "cli/gateway_view.h"

#include "aws/json_read.h"
#include "policy/budget.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace weir::cli {
namespace {

using Json = nlohmann::json;

constexpr double kFull = 0.98;  // a quota that holds nothing more

using aws::member;

std::string text(const Json& object, const char* name) {
    const Json& value = member(object, name);
    return value.is_string() ? value.get<std::string>() : std::string();
}

std::uint64_t count(const Json& object, const char* name) {
    const Json& value = member(object, name);
    if (!value.is_number()) {
        return 0;
    }
    const double number = value.get<double>();
    return number > 0 && number < 1e18 ? static_cast<std::uint64_t>(number) : 0;
}

bool flag(const Json& object, const char* name) {
    const Json& value = member(object, name);
    return value.is_boolean() && value.get<bool>();
}

std::vector<LimitView> limits_of(const Json& list) {
    std::vector<LimitView> limits;
    for (const Json& one : list) {
        LimitView limit;
        limit.kind = text(one, "kind");
        if (member(one, "limit").is_number()) {
            limit.limit = count(one, "limit");
        }
        limit.used = count(one, "used");
        limit.reserved = count(one, "reserved");
        limit.learned = flag(one, "learned");
        limits.push_back(std::move(limit));
    }
    return limits;
}

struct State {
    const char* name;
    int trouble;
};

/// Above 100 nothing goes there; from 60 on it is not as it should be.
State state_of(const Json& one, const TargetView& target) {
    const std::string held = text(member(one, "held"), "state");
    const std::string breaker = text(one, "breaker");
    if (held == "closed") {
        return {"closed", 150};
    }
    if (breaker == "open" && held != "open") {
        return {"open", 140};
    }
    if (flag(one, "misconfigured")) {
        return {"misfit", 130};
    }
    if (flag(one, "daily_closed")) {
        return {"day", 120};
    }
    if (held == "drain") {
        return {"drain", 90};
    }
    if (breaker == "half-open") {
        return {"half-open", 80};
    }
    double most = 0;
    for (const LimitView& limit : target.limits) {
        most = std::max(most, limit.share());
    }
    if (most >= kFull) {
        return {"full", 50};
    }
    return {"ok", static_cast<int>(most * 40)};
}

/// Who gave an order, and why if that was said.
std::string ordered(const Json& order) {
    const std::string reason = text(order, "reason");
    return text(order, "by") + (reason.empty() ? "" : ": " + reason);
}

std::string remark_of(const Json& one, const std::string& state) {
    if (state == "open") {
        return "the breaker is open";
    }
    if (state == "half-open") {
        return "the breaker is half open: probes are under way";
    }
    if (state == "day") {
        return "the day's tokens are used up";
    }
    if (state == "closed" || state == "drain") {
        return (state == "closed" ? "closed by " : "drained by ") + ordered(member(one, "held"));
    }
    if (state != "misfit") {
        return "";
    }
    const Json& because = member(one, "misconfigured_because");
    std::string remark = "it refuses calls: " + text(because, "error");
    return flag(because, "for_all_clients") ? remark
                                            : remark + " (client " + text(because, "client") + ")";
}

TargetView target_of(const Json& one) {
    TargetView target;
    target.account = text(one, "account");
    target.region = text(one, "region");
    target.model = text(one, "model");
    target.endpoint = text(one, "endpoint");
    target.tier = text(one, "tier");
    target.in_flight = count(one, "in_flight");
    target.limits = limits_of(member(one, "limits"));
    const Json& seconds = member(one, "mean_service_seconds");
    target.service_seconds = seconds.is_number() ? seconds.get<double>() : 0;
    const State state = state_of(one, target);
    target.state = state.name;
    target.trouble = state.trouble;
    target.remark = remark_of(one, target.state);
    return target;
}

std::string budget_of(const Json& budget) {
    std::string all;
    for (const char* period : {"day", "month"}) {
        const Json& one = member(budget, period);
        const Json& usd = member(one, "usd");
        const Json& spent = member(one, "spent_usd");
        if (usd.is_number() && spent.is_number()) {
            const std::string state = text(one, "state");
            all += (all.empty() ? "" : ", ") + policy::dollars(spent.get<double>()) + " of " +
                   policy::dollars(usd.get<double>()) + " a " + period +
                   (state == "fine" || state.empty() ? "" : " (" + state + ")");
        }
    }
    return all;
}

/// `status`: for the orders that refuse calls wherever they would go.
void judge(GatewayView& view, const Json& status, bool draining) {
    const auto say = [&](Health health, std::string text, std::string target = {}) {
        view.health = std::max(view.health, health);
        view.reasons.push_back({std::move(target), std::move(text)});
    };
    if (draining) {
        say(Health::down, "it drains: it stops soon");
    }
    const bool any = std::ranges::any_of(view.targets, &TargetView::usable);
    if (!view.targets.empty() && !any && view.unused == 0) {
        say(Health::down, "no target can be used");
    } else if (!view.targets.empty() && !any) {
        say(Health::degraded,
            "none of the targets that calls have gone to can be used; others of the routes may be");
    }
    for (const TargetView& target : view.targets) {
        if (!target.remark.empty()) {
            say(Health::degraded, target.remark, target.name());
        }
    }
    if (view.store.mode == "alone") {
        say(Health::degraded,
            "the shared store does not keep the books: this instance counts alone");
    }
    for (const Json& order : member(status, "shedding")) {
        const std::string priority = text(order, "priority");
        if (priority == "interactive") {
            say(Health::down, "all calls are refused, by " + ordered(order));
        } else {
            say(Health::degraded,
                "calls of the class " + priority + " and lower are refused, by " + ordered(order));
        }
    }
    for (const Json& order : member(status, "paused")) {
        say(Health::degraded,
            "client " + text(order, "client") + " is paused by " + ordered(order));
    }
}

}  // namespace

std::string_view to_string(Health health) {
    switch (health) {
        case Health::healthy:
            return "healthy";
        case Health::degraded:
            return "degraded";
        case Health::down:
            return "down";
    }
    return "down";
}

std::string to_string(const Reason& reason) {
    return reason.target.empty() ? reason.text : reason.target + ": " + reason.text;
}

double LimitView::share() const {
    return limit && *limit > 0 ? static_cast<double>(used) / static_cast<double>(*limit) : 0;
}

bool TargetView::usable() const {
    return trouble < 100;
}

std::string TargetView::name() const {
    std::string name = account.empty() || account == "default" ? "" : account + "/";
    name += region;
    if (endpoint == "mantle") {
        name += "/mantle";
    }
    name += "/" + model;
    return tier.empty() ? name : name + " (" + tier + ")";
}

const LimitView* TargetView::limit(std::string_view kind) const {
    const auto found = std::ranges::find(limits, kind, &LimitView::kind);
    return found == limits.end() ? nullptr : &*found;
}

std::optional<GatewayView> view_of(std::string_view status, bool draining) {
    const Json json = Json::parse(status, nullptr, false);
    if (!json.is_object() || !member(json, "targets").is_array()) {
        return std::nullopt;
    }
    GatewayView view;
    view.version = text(json, "version");
    const Json& configuration = member(json, "configuration");
    view.configuration = text(configuration, "hash");
    for (const Json& one : member(configuration, "needs_restart")) {
        if (one.is_string()) {
            view.needs_restart.push_back(one.get<std::string>());
        }
    }
    view.in_flight = count(json, "in_flight");
    view.waiting_calls = count(json, "waiting_calls");
    view.waiting_bytes = count(json, "waiting_bytes");
    for (const Json& one : member(json, "targets")) {
        view.targets.push_back(target_of(one));
    }
    for (const Json& one : member(json, "unused")) {
        TargetView target = target_of(one);
        view.unused += target.usable() ? 1 : 0;
        if (!target.remark.empty()) {  // an order holds it
            view.targets.push_back(std::move(target));
        }
    }
    std::ranges::sort(view.targets, [](const TargetView& a, const TargetView& b) {
        if (a.trouble != b.trouble) {
            return a.trouble > b.trouble;
        }
        return a.in_flight != b.in_flight ? a.in_flight > b.in_flight : a.name() < b.name();
    });
    for (const Json& one : member(json, "clients")) {
        view.clients.push_back({text(one, "name"), count(one, "waiting"),
                                limits_of(member(one, "limits")),
                                budget_of(member(one, "budget"))});
    }
    std::ranges::sort(view.clients, [](const ClientView& a, const ClientView& b) {
        return a.waiting != b.waiting ? a.waiting > b.waiting : a.name < b.name;
    });
    for (const Json& one : member(json, "waiting")) {
        view.waiting.push_back({text(one, "model"), text(one, "priority"), count(one, "calls")});
    }
    for (const Json& one : member(json, "shared")) {
        const bool alone = text(one, "mode") == "alone";
        view.store.mode = alone || view.store.mode == "alone" ? "alone" : "joined";
        view.store.instances = std::max(view.store.instances, count(one, "instances"));
    }
    judge(view, json, draining);
    return view;
}

}  // namespace weir::cli
