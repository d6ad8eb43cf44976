// How an alarm that exists differs from the one wanted, and what alarms cost.
#include "aws/alarms.h"

#include <algorithm>
#include <cmath>

namespace weir::aws {
namespace {

using Json = nlohmann::json;

/// Whether `existing` has all that `wanted` says; lists in any order.
bool includes(const Json& wanted, const Json& existing) {
    if (wanted.is_number() && existing.is_number()) {
        return std::abs(wanted.get<double>() - existing.get<double>()) < 1e-9;
    }
    if (wanted.is_object() && existing.is_object()) {
        return std::ranges::all_of(wanted.items(), [&](const auto& item) {
            return existing.contains(item.key()) && includes(item.value(), existing[item.key()]);
        });
    }
    if (wanted.is_array() && existing.is_array()) {
        return wanted.size() == existing.size() &&
               std::ranges::all_of(wanted, [&](const Json& one) {
                   return std::ranges::any_of(
                       existing, [&](const Json& other) { return includes(one, other); });
               });
    }
    return wanted == existing;
}

}  // namespace

std::string difference(const Json& wanted, const Json& existing) {
    std::string out;
    const auto add = [&out](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
    for (const auto& [key, value] : wanted.items()) {
        const Json now = existing.contains(key) ? existing[key] : Json();
        const bool nothing = value.is_array() && value.empty() && now.is_null();
        // The service may tell an alarm's ARN where its name was given.
        const bool by_arn = key == "ActionsSuppressor" && now.is_string() &&
                            now.get<std::string>().ends_with(":" + value.get<std::string>());
        if (nothing || by_arn || includes(value, now)) {
            continue;
        }
        add(value.is_number() && now.is_number() ? key + " " + now.dump() + " -> " + value.dump()
                                                 : key);
    }
    // One metric and metric math exclude each other.
    if (existing.contains("MetricName") && existing["MetricName"].is_string() &&
        !existing["MetricName"].get<std::string>().empty() && wanted.contains("Metrics")) {
        add("MetricName");
    }
    return out;
}

double monthly_price(const std::vector<Alarm>& alarms) {
    double cents = 0;
    for (const Alarm& alarm : alarms) {
        if (alarm.composite) {
            cents += 50;
        } else if (alarm.input.contains("Metrics")) {
            cents += 10 * static_cast<double>(std::ranges::count_if(
                              alarm.input["Metrics"],
                              [](const Json& one) { return one.contains("MetricStat"); }));
        } else {
            cents += 10;
        }
    }
    return cents / 100;
}

}  // namespace weir::aws
