// Who hears of alarms: SNS topics and their subscriptions, from the configuration.
#include "aws/alarms.h"
#include "aws/publish.h"

#include <weir/arn.h>

#include <algorithm>
#include <set>

namespace weir::aws {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kTag = "weir:alarms";

const std::vector<std::string>& recipients(const Config& config, Severity severity) {
    const AlarmsConfig& alarms = config.aws.alarms;
    switch (severity) {
        case Severity::critical:
            return alarms.critical;
        case Severity::warning:
            return alarms.warning;
        case Severity::info:
            break;
    }
    return alarms.info;
}

}  // namespace

Result<std::vector<Topic>> make_topics(const Config& config, const std::vector<Alarm>& alarms) {
    std::set<std::pair<std::string, Severity>> rung;
    for (const Alarm& alarm : alarms) {
        if (alarm.composite) {
            rung.emplace(alarm.region, alarm.severity);
        }
    }
    std::vector<Topic> topics;
    for (const auto& [region, severity] : rung) {
        Topic ours{region,
                   severity,
                   config.aws.alarms.prefix + "-" + std::string(to_string(severity)),
                   "",
                   {}};
        for (const std::string& one : recipients(config, severity)) {
            if (one.starts_with("arn:")) {
                if (arn_region(one) == region) {
                    topics.push_back({region, severity, "", one, {}});
                }
            } else if (one.starts_with("email:")) {
                ours.subscriptions.push_back({"email", one.substr(6)});
            } else {
                ours.subscriptions.push_back({one.starts_with("http://") ? "http" : "https", one});
            }
        }
        if (!ours.subscriptions.empty()) {
            topics.push_back(std::move(ours));
        }
    }
    // An alarm can only tell topics of its own Region.
    for (const Severity severity : kSeverities) {
        for (const std::string& one : recipients(config, severity)) {
            if (one.starts_with("arn:") &&
                !rung.contains({std::string(arn_region(one)), severity})) {
                return failure("aws.alarms." + std::string(to_string(severity)) + ": " + one +
                               " is in a Region without such alarms; CloudWatch tells topics of "
                               "its own Region alone");
            }
        }
    }
    return topics;
}

Json own_tags(const Config& config) {
    return Json::array({{{"Key", kTag}, {"Value", config.aws.alarms.prefix}}});
}

bool has_own_tag(const Config& config, const Json& tags) {
    return tags.is_array() && std::ranges::any_of(tags, [&](const Json& tag) {
               return tag.is_object() && tag.value("Key", Json()) == kTag &&
                      tag.value("Value", Json()) == config.aws.alarms.prefix;
           });
}

}  // namespace weir::aws
