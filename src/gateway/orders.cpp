#include "gateway/orders.h"

#include "codec/clean.h"
#include "codec/hex.h"
#include "gateway/aws_regions.h"
#include "gateway/query.h"
#include "observe/labels.h"
#include "observe/or_null.h"
#include "policy/eligibility.h"
#include "policy/validate.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

namespace weir::gateway {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kLongestReason = 200;
constexpr std::size_t kLongestClient = 64;
constexpr std::size_t kMostListed = 50;
constexpr std::string_view kNames = "region, model, account, priority, client, for and reason";
constexpr std::array<std::string_view, 7> kName{"region", "model", "account", "priority",
                                                "client", "for",   "reason"};

using Members = std::map<std::string, std::string, std::less<>>;

Result<void> add(Members& members, std::string name, std::string value) {
    if (std::ranges::find(kName, name) == kName.end()) {
        return failure("`" + name.substr(0, 50) + "` is unknown: " + std::string(kNames) +
                       " are known");
    }
    if (!members.emplace(std::move(name), std::move(value)).second) {
        return failure("each of " + std::string(kNames) + " may be given once");
    }
    return {};
}

Result<void> read_query(std::string_view query, Members& members) {
    for (const QueryPair& pair : query_pairs(query)) {
        if (pair.name.empty() && !pair.value) {
            continue;
        }
        std::string value(pair.value.value_or(std::string_view()));
        std::ranges::replace(value, '+', ' ');
        if (auto added =
                add(members, codec::percent_decoded(pair.name), codec::percent_decoded(value));
            !added) {
            return added;
        }
    }
    return {};
}

Result<void> read_body(std::string_view body, Members& members) {
    if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        return {};
    }
    const auto json = ordered_json::parse(body, nullptr, false);
    if (!json.is_object()) {
        return failure("the body is to be a JSON object");
    }
    for (const auto& [name, value] : json.items()) {
        if (value.is_null()) {
            continue;
        }
        if (!value.is_string()) {
            return failure("`" + name.substr(0, 50) + "` is to be a string");
        }
        if (auto added = add(members, name, value.get<std::string>()); !added) {
            return added;
        }
    }
    return {};
}

std::string take(Members& members, std::string_view name) {
    const auto found = members.find(name);
    return found == members.end() ? std::string() : std::move(found->second);
}

/// For one line of a log or a terminal: no control characters, not too long.
std::string clean(std::string_view text) {
    std::string line = codec::clean_text(text.substr(0, kLongestReason));
    std::ranges::replace_if(line, [](char c) { return c == '\n' || c == '\t'; }, ' ');
    return line;
}

std::optional<Priority> priority_of(std::string_view name) {
    for (const Priority one : {Priority::interactive, Priority::standard, Priority::batch}) {
        if (name == to_string(one)) {
            return one;
        }
    }
    return std::nullopt;
}

std::string listed(const std::set<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

std::string_view verb(const Order& order) {
    switch (order.kind) {
        case OrderKind::shed:
            return "shed";
        case OrderKind::pause:
            return "pause";
        case OrderKind::resume:
            return "resume";
        case OrderKind::hold:
            break;
    }
    return order.hold == Hold::closed ? "close" : to_string(order.hold);
}

/// Nullopt: no order has this path.
std::optional<Order> ordered_by(std::string_view path) {
    Order order;
    if (path == "/targets/close") {
        order.hold = Hold::closed;
    } else if (path == "/targets/drain") {
        order.hold = Hold::drain;
    } else if (path == "/shed") {
        order.kind = OrderKind::shed;
    } else if (path == "/clients/pause") {
        order.kind = OrderKind::pause;
    } else if (path == "/clients/resume") {
        order.kind = OrderKind::resume;
    } else if (path != "/targets/open") {
        return std::nullopt;
    }
    return order;
}

Result<void> read_targets(Order& order, Members& members) {
    order.targets = {take(members, "region"), take(members, "model"), take(members, "account")};
    if (order.kind == OrderKind::hold) {
        if (order.targets.region.empty() && order.targets.model.empty()) {
            return failure("`region`, `model` or both are to name the targets");
        }
    } else if (order.targets != TargetFilter{}) {
        return failure(
            "region, model and account belong to /targets/...: /shed is for all targets, "
            "/clients/... for a client wherever it calls");
    }
    return {};
}

Result<void> read_priority(Order& order, Members& members) {
    const std::string priority = take(members, "priority");
    if (order.kind != OrderKind::shed) {
        return priority.empty() ? Result<void>() : failure("`priority` belongs to /shed");
    }
    const auto from = priority_of(priority.empty() ? "batch" : priority);
    if (!from) {
        return failure("`priority` is to be interactive, standard or batch");
    }
    order.from = *from;
    return {};
}

Result<void> read_client(Order& order, Members& members) {
    order.client = take(members, "client");
    const bool wanted = order.kind == OrderKind::pause || order.kind == OrderKind::resume;
    if (!wanted) {
        return order.client.empty() ? Result<void>() : failure("`client` belongs to /clients/...");
    }
    if (!policy::is_plain_name(order.client, kLongestClient)) {
        return failure("`client` is to name the client: 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    return {};
}

Result<void> read_lasts(Order& order, Members& members) {
    const std::string lasts = take(members, "for");
    if (order.kind == OrderKind::resume) {
        return lasts.empty() ? Result<void>() : failure("`for` does not belong to /clients/resume");
    }
    if (lasts == "0s" && order.kind == OrderKind::shed) {
        order.lasts = Duration::zero();
    } else if (!lasts.empty()) {
        const auto read = order_duration(lasts);
        if (!read) {
            return std::unexpected(read.error());
        }
        order.lasts = *read;
    } else if (order.kind != OrderKind::hold || order.hold != Hold::open) {
        order.lasts = kOrderLasts;
    }
    return {};
}

Result<void> check_client(const std::string& client, const Config& config, const Status& status) {
    const bool keyed = std::ranges::any_of(config.clients, [](const ClientConfig& one) {
        return !one.key_sha256.empty() || !one.access_key_id.empty();
    });
    const bool configured = std::ranges::any_of(
        config.clients, [&](const ClientConfig& one) { return one.name == client; });
    if (client == observe::kOther && !configured) {
        return failure("`other` is no client: it stands for those that are not counted by name");
    }
    if (!keyed || configured || std::ranges::any_of(status.paused, [&](const Pause& one) {
            return one.client == client;
        })) {
        return {};
    }
    std::set<std::string> names;
    for (const ClientConfig& one : config.clients) {
        if (names.size() < kMostListed) {
            names.insert(one.name);
        }
    }
    return failure("no client `" + client + "` is configured; configured are " + listed(names) +
                   (config.clients.size() > names.size() ? ", ..." : ""));
}

}  // namespace

Result<Duration> order_duration(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, Duration>, 4> kUnits{
        {{"ms", std::chrono::milliseconds(1)},
         {"s", std::chrono::seconds(1)},
         {"m", std::chrono::minutes(1)},
         {"h", std::chrono::hours(1)}}};
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{}) {
        const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
        for (const auto& [name, length] : kUnits) {
            if (unit == name && number > 0 && number <= kLongestOrder / length) {
                return number * length;
            }
        }
    }
    return failure("`for` is to be a time with its unit, 1ms to 168h, such as 15m");
}

Result<Order> read_order(const OrderText& text) {
    auto order = ordered_by(text.path);
    if (!order) {
        return failure(
            "there are /targets/close, /targets/drain, /targets/open, /shed, "
            "/clients/pause and /clients/resume");
    }
    Members members;
    if (auto read = read_query(text.query, members); !read) {
        return std::unexpected(read.error());
    }
    if (auto read = read_body(text.body, members); !read) {
        return std::unexpected(read.error());
    }
    order->reason = clean(take(members, "reason"));
    for (const auto read : {read_targets, read_priority, read_client, read_lasts}) {
        if (auto done = read(*order, members); !done) {
            return std::unexpected(done.error());
        }
    }
    return std::move(*order);
}

std::vector<Target> targets_named(const TargetFilter& filter, const Config& config,
                                  const Status& status) {
    std::set<Target> named;
    const auto look = [&](Target target) {
        if (filter.matches(target)) {
            named.insert(std::move(target));
        }
    };
    for (const RouteConfig& route : config.routes) {
        for (const RouteTarget& target : route.targets) {
            look(policy::target_of(target, route.model));
        }
    }
    for (const TargetStatus& t : status.targets) {
        look({.region = t.region,
              .model = t.model,
              .endpoint = t.endpoint,
              .tier = t.tier,
              .account = t.account});
    }
    return {named.begin(), named.end()};
}

Result<void> check_order(const Order& order, const Config& config, const Status& status) {
    if (!order.client.empty()) {
        return check_client(order.client, config, status);
    }
    const TargetFilter& targets = order.targets;
    if (order.kind != OrderKind::hold || !targets_named(targets, config, status).empty()) {
        return {};
    }
    if (!targets.region.empty() && config.regions.empty() && !is_listed_region(targets.region)) {
        return failure("`" + clean(targets.region.substr(0, 50)) +
                       "` is no Region that this weir knows, and no call has gone there");
    }
    if (!targets.region.empty() && !config.regions.empty() &&
        !config.regions.contains(targets.region)) {
        std::set<std::string> regions;
        for (const auto& [name, region] : config.regions) {
            regions.insert(name);
        }
        return failure("the Region `" + targets.region.substr(0, 50) +
                       "` is not declared; declared are " + listed(regions));
    }
    if (targets.model.empty() && targets.account.empty()) {
        return {};  // a Region without a call so far
    }
    std::set<std::string> models;
    for (const Target& target : targets_named({targets.region, "", ""}, config, status)) {
        models.insert(target.model);
    }
    return failure("no such target; " + (models.empty()
                                             ? std::string("no target is known so far")
                                             : "known models there are " + listed(models)));
}

std::string order_json(const Order& order, const std::vector<Target>& targets,
                       const std::optional<Override>& afterwards, bool was_paused) {
    ordered_json out{{"order", verb(order)}};
    const bool holds = order.kind == OrderKind::hold;
    if (holds) {
        out["region"] = observe::or_null(order.targets.region);
        out["model"] = observe::or_null(order.targets.model);
        out["account"] = observe::or_null(order.targets.account);
    } else if (order.kind == OrderKind::shed) {
        out["priority"] = to_string(order.from);
    } else {
        out["client"] = order.client;
    }
    if (order.kind == OrderKind::resume) {
        out["was_paused"] = was_paused;
    }
    out["seconds"] = order.lasts ? ordered_json(to_seconds(*order.lasts)) : ordered_json();
    out["reason"] = order.reason;
    if (holds && order.hold == Hold::open) {
        out["afterwards"] = afterwards ? ordered_json{{"held", to_string(afterwards->hold)},
                                                      {"seconds", to_seconds(afterwards->lasts)}}
                                       : ordered_json();
    }
    if (holds) {
        out["targets"] = ordered_json::array();
        for (const Target& target : targets) {
            out["targets"].push_back({{"account", account_label(target.account)},
                                      {"region", target.region},
                                      {"model", target.model}});
        }
    }
    return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string describe(const Order& order) {
    const bool ends = order.kind == OrderKind::shed && order.lasts == Duration::zero();
    std::string text(ends ? "no longer shed" : verb(order));
    if (!order.client.empty()) {
        text += " client " + order.client;
    } else if (order.kind == OrderKind::hold) {
        const TargetFilter& t = order.targets;
        text += t.model.empty() ? " every model" : " " + clean(t.model);
        text += t.region.empty() ? " in every Region" : " in " + clean(t.region);
        text += t.account.empty() ? "" : " of account " + clean(t.account);
    } else {
        text += " calls of the class " + std::string(to_string(order.from)) + " and lower";
    }
    if (order.lasts && !ends) {
        text += " for " + std::to_string(to_ms(*order.lasts) / 1000) + " s";
    }
    return text + (order.reason.empty() ? ", no reason given" : ", because: " + order.reason);
}

}  // namespace weir::gateway
