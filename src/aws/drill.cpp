#include "aws/drill.h"

#include "aws/json_read.h"
#include "aws/text.h"

#include <algorithm>
#include <ranges>
#include <thread>
#include <tuple>

namespace weir::aws {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

const std::atomic<bool> kGoOn{false};

std::string state_of(const Existing& existing, const std::string& name) {
    const auto at = existing.find(name);
    if (at == existing.end()) {
        return "";
    }
    const Json state = at->second.value("StateValue", Json());
    return state.is_string() ? state.get<std::string>() : "";
}

bool succeeded(const Json& item) {
    const Json data = parse_json(
        item.value("HistoryData", Json("")).is_string() ? item.value("HistoryData", "") : "");
    if (data.is_object() && data.contains("actionState")) {
        return data["actionState"] == "Succeeded";
    }
    const Json summary = item.value("HistorySummary", Json());
    return summary.is_string() && summary.get<std::string>().starts_with("Successfully");
}

struct Actions {
    std::size_t done = 0;
    std::size_t failed = 0;
};

/// Since `from`, in seconds since 1970.
ApiResult<Actions> actions_of(AlarmAccount& account, const Alarm& alarm, std::int64_t from) {
    const auto answer = account.cloudwatch(alarm.region, "DescribeAlarmHistory",
                                           {{"AlarmName", alarm.name},
                                            {"AlarmTypes", {"CompositeAlarm"}},
                                            {"HistoryItemType", "Action"},
                                            {"StartDate", from}});
    if (!answer) {
        return std::unexpected(answer.error());
    }
    Actions out;
    for (const Json& item : answer->value("AlarmHistoryItems", Json::array())) {
        if (item.is_object()) {
            ++(succeeded(item) ? out.done : out.failed);
        }
    }
    return out;
}

ApiResult<Json> set_state(AlarmAccount& account, const Alarm& alarm, const std::string& state,
                          const std::string& reason) {
    return account.cloudwatch(
        alarm.region, "SetAlarmState",
        {{"AlarmName", alarm.name}, {"StateValue", state}, {"StateReason", reason}});
}

/// Until the composite alarm has told, or the time is over.
void wait_for_delivery(AlarmAccount& account, const Drill& drill, std::size_t expected,
                       std::int64_t from, const std::atomic<bool>& stop, DrillResult& result) {
    using Outcome = DrillResult::Outcome;
    const auto begin = Clock::now();
    bool rang = false;
    result.outcome = Outcome::not_delivered;
    while (!stop && Clock::now() - begin < drill.wait) {
        if (!rang) {
            const auto now = account.existing(drill.alarm.region);
            if (!now) {
                result.outcome = Outcome::failed;
                result.detail = now.error().text();
                return;
            }
            rang = state_of(*now, drill.composite.name) == "ALARM";
            if (rang && expected == 0) {
                result.outcome = Outcome::nobody_told;
                result.detail = drill.composite.name + " rang; it tells nobody";
                break;
            }
        }
        const auto actions = actions_of(account, drill.composite, from);
        if (!actions) {
            result.outcome = Outcome::failed;
            result.detail = actions.error().text();
            return;
        }
        if (actions->done + actions->failed >= expected && expected > 0) {
            const bool all = actions->failed == 0;
            result.outcome = all ? Outcome::delivered : Outcome::not_delivered;
            result.detail = std::to_string(actions->done) + " of " + std::to_string(expected) +
                            " topics told by " + drill.composite.name;
            break;
        }
        std::this_thread::sleep_for(drill.poll);
    }
    result.took = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin);
    if (result.detail.empty()) {
        result.detail = stop ? "stopped"
                             : drill.composite.name +
                                   (rang ? " rang, but told nobody in " : " did not ring in ") +
                                   std::to_string(drill.wait.count()) + " s";
    }
}

}  // namespace

std::string_view to_string(DrillResult::Outcome outcome) {
    using Outcome = DrillResult::Outcome;
    switch (outcome) {
        case Outcome::delivered:
            return "delivered";
        case Outcome::not_delivered:
            return "not delivered";
        case Outcome::nobody_told:
            return "nobody told";
        case Outcome::rings_already:
            return "rings already";
        case Outcome::absent:
            return "absent";
        case Outcome::failed:
            return "failed";
    }
    return "";
}

DrillResult run_drill(const Config& config, const ApiClient& api, const Drill& drill,
                      const std::atomic<bool>& stop) {
    using Outcome = DrillResult::Outcome;
    AlarmAccount account(config, api, stop);
    const auto before = account.existing(drill.alarm.region);
    if (!before) {
        return {Outcome::failed, before.error().text()};
    }
    const std::string state = state_of(*before, drill.alarm.name);
    if (state.empty() || !before->contains(drill.composite.name)) {
        return {Outcome::absent, "not there; `weir alarms apply` makes it"};
    }
    if (state == "ALARM" || state_of(*before, drill.composite.name) == "ALARM") {
        return {Outcome::rings_already, "rings at this moment; nothing was changed"};
    }
    const auto mine = account.ours(drill.alarm.region, before->at(drill.alarm.name));
    if (!mine || !*mine) {
        return {Outcome::absent, mine ? "was not made by weir" : mine.error().text()};
    }
    const Json told = before->at(drill.composite.name).value("AlarmActions", Json::array());
    const std::int64_t from = unix_now();
    DrillResult result;
    const auto set =
        set_state(account, drill.alarm, "ALARM", "weir alarms test: a drill, nothing is wrong");
    // Where the answer was lost the state may have been set.
    result.set = set || set.error().status == 0 || set.error().status >= 500;
    if (set) {
        wait_for_delivery(account, drill, told.is_array() ? told.size() : 0, from, stop, result);
    } else {
        result.detail = set.error().text();
        if (!result.set) {
            return result;
        }
    }
    AlarmAccount last(config, api, kGoOn);
    for (int attempt = 0; attempt < 3 && !result.put_back; ++attempt) {
        result.put_back =
            set_state(last, drill.alarm, state, "weir alarms test: the drill has ended")
                .has_value();
    }
    return result;
}

std::vector<Drill> choose_drills(const std::vector<Alarm>& alarms, const std::string& name) {
    std::vector<Drill> drills;
    for (const Alarm& composite : alarms) {
        if (!composite.composite) {
            continue;
        }
        const std::string rule = composite.input.value("AlarmRule", "");
        for (const Alarm& alarm : alarms) {
            const bool child = !alarm.composite && alarm.region == composite.region &&
                               rule.find("ALARM(\"" + alarm.name + "\")") != std::string::npos;
            if (child && (name.empty() || alarm.name == name)) {
                drills.push_back({alarm, composite});
                break;
            }
        }
    }
    std::ranges::sort(drills, [](const Drill& a, const Drill& b) {
        return std::tie(b.composite.severity, a.alarm.region, a.alarm.name) <
               std::tie(a.composite.severity, b.alarm.region, b.alarm.name);
    });
    return drills;
}

}  // namespace weir::aws
