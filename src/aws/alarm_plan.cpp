#include "aws/alarm_plan.h"

#include "aws/watched.h"

#include <pugixml.hpp>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace weir::aws {
namespace {

using Json = nlohmann::json;

constexpr int kAlarmPages = 100;
constexpr std::size_t kDeletedAtOnce = 100;

std::string element_text(const pugi::xml_document& document, const char* element) {
    return document.select_node(("//*[local-name()='" + std::string(element) + "']").c_str())
        .node()
        .child_value();
}

ApiError odd(std::string why) {
    return ApiError{200, "", std::move(why), ""};
}

std::string subscription_text(const Topic::Subscription& one) {
    return one.protocol + " " + one.endpoint;
}

}  // namespace

std::string_view to_string(Action action) {
    switch (action) {
        case Action::none:
            return "none";
        case Action::create:
            return "create";
        case Action::change:
            return "change";
        case Action::remove:
            return "remove";
        case Action::leave:
            return "leave";
    }
    return "";
}

bool AlarmPlan::changes() const {
    const auto acts = [](Action action) {
        return action != Action::none && action != Action::leave;
    };
    return std::ranges::any_of(alarms, [&](const auto& one) { return acts(one.action); }) ||
           std::ranges::any_of(topics, [&](const TopicChange& one) {
               return acts(one.action) || !one.missing.empty();
           });
}

bool AlarmPlan::heard(const std::string& region, Severity severity) const {
    return std::ranges::any_of(topics, [&](const TopicChange& one) {
        return one.topic.region == region && one.topic.severity == severity;
    });
}

ApiResult<Json> AlarmAccount::cloudwatch(const std::string& region, const std::string& operation,
                                         const Json& input) const {
    return api_.json({ApiService::cloudwatch, region}, operation, input, stop_);
}

ApiResult<std::string> AlarmAccount::account(const std::string& region) {
    if (!account_.empty()) {
        return account_;
    }
    const auto answer = api_.query({ApiService::sts, region}, "GetCallerIdentity", {}, stop_);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    account_ = element_text(*answer, "Account");
    const std::string arn = element_text(*answer, "Arn");  // arn:PARTITION:sts::...
    if (account_.empty()) {
        return std::unexpected(odd("GetCallerIdentity names no account"));
    }
    if (const auto colon = arn.find(':', 4);
        arn.starts_with("arn:") && colon != std::string::npos) {
        partition_ = arn.substr(4, colon - 4);
    }
    return account_;
}

std::string AlarmAccount::arn_of_topic(const std::string& region, const std::string& name) const {
    return "arn:" + partition_ + ":sns:" + region + ":" + account_ + ":" + name;
}

ApiResult<Existing> AlarmAccount::existing(const std::string& region) {
    Existing out;
    Json input{{"AlarmNamePrefix", config_.aws.alarms.prefix + "-"},
               {"AlarmTypes", {"MetricAlarm", "CompositeAlarm"}},
               {"MaxRecords", 100}};
    for (int page = 0; page < kAlarmPages; ++page) {
        const auto answer = cloudwatch(region, "DescribeAlarms", input);
        if (!answer) {
            return std::unexpected(answer.error());
        }
        for (const char* list : {"MetricAlarms", "CompositeAlarms"}) {
            for (const Json& alarm : answer->value(list, Json::array())) {
                const Json name = alarm.is_object() ? alarm.value("AlarmName", Json()) : Json();
                if (name.is_string()) {
                    out[name.get<std::string>()] = alarm;
                }
            }
        }
        const Json next = answer->value("NextToken", Json());
        if (!next.is_string() || next.get<std::string>().empty()) {
            return out;
        }
        input["NextToken"] = next;
    }
    return std::unexpected(odd("DescribeAlarms has no last page"));
}

ApiResult<bool> AlarmAccount::ours(const std::string& region, const Json& alarm) {
    const auto answer = cloudwatch(region, "ListTagsForResource",
                                   {{"ResourceARN", alarm.value("AlarmArn", Json(""))}});
    if (!answer) {
        return std::unexpected(answer.error());
    }
    return has_own_tag(config_, answer->value("Tags", Json::array()));
}

ApiResult<TopicChange> AlarmAccount::compare(Topic topic) {
    TopicChange change{Action::none, std::move(topic)};
    if (change.topic.name.empty()) {
        return change;
    }
    const std::string& region = change.topic.region;
    change.topic.arn = arn_of_topic(region, change.topic.name);
    change.missing = change.topic.subscriptions;
    std::string next;
    for (int page = 0; page < kAlarmPages; ++page) {
        ApiClient::Parameters parameters{{"TopicArn", change.topic.arn}};
        if (!next.empty()) {
            parameters.emplace_back("NextToken", next);
        }
        const auto answer =
            api_.query({ApiService::sns, region}, "ListSubscriptionsByTopic", parameters, stop_);
        if (!answer) {
            if (answer.error().code.starts_with("NotFound") || answer.error().status == 404) {
                change.action = Action::create;
                return change;
            }
            return std::unexpected(answer.error());
        }
        for (const auto& node : answer->select_nodes("//*[local-name()='Subscriptions']/*")) {
            const Topic::Subscription one{node.node().child_value("Protocol"),
                                          node.node().child_value("Endpoint")};
            std::erase(change.missing, one);
            const std::string_view arn = node.node().child_value("SubscriptionArn");
            if (!arn.starts_with("arn:")) {  // PendingConfirmation
                change.unconfirmed.push_back(one);
            }
        }
        next = element_text(*answer, "NextToken");
        if (next.empty()) {
            break;
        }
    }
    const auto tags = tags_of_topic(region, change.topic.arn);
    if (!tags) {
        return std::unexpected(tags.error());
    }
    if (!has_own_tag(config_, *tags)) {
        return std::unexpected(odd("the topic " + change.topic.arn +
                                   " was not made by weir: name it by its ARN under `aws.alarms`, "
                                   "or set another `prefix`"));
    }
    return change;
}

ApiResult<Json> AlarmAccount::tags_of_topic(const std::string& region,
                                            const std::string& arn) const {
    const auto answer =
        api_.query({ApiService::sns, region}, "ListTagsForResource", {{"ResourceArn", arn}}, stop_);
    if (!answer) {
        if (answer.error().code.find("NotFound") != std::string::npos ||
            answer.error().status == 404) {
            return Json();
        }
        return std::unexpected(answer.error());
    }
    Json list = Json::array();
    for (const auto& node : answer->select_nodes("//*[local-name()='Tags']/*")) {
        list.push_back(
            {{"Key", node.node().child_value("Key")}, {"Value", node.node().child_value("Value")}});
    }
    return list;
}

ApiResult<AlarmPlan> AlarmAccount::plan() {
    AlarmPlan plan;
    auto alarms = make_alarms(config_);
    if (!alarms) {
        return std::unexpected(ApiError{0, "", alarms.error().message, ""});
    }
    auto topics = make_topics(config_, *alarms);
    if (!topics) {
        return std::unexpected(ApiError{0, "", topics.error().message, ""});
    }
    const auto account_id = account(alarms->front().region);
    if (!account_id) {
        return std::unexpected(account_id.error());
    }
    plan.account = *account_id;
    for (Topic& topic : *topics) {
        auto change = compare(std::move(topic));
        if (!change) {
            return std::unexpected(change.error());
        }
        plan.topics.push_back(std::move(*change));
    }
    std::map<std::string, Existing> existing_in;
    for (Alarm& alarm : *alarms) {
        Json actions = Json::array();
        for (const TopicChange& one : plan.topics) {
            if (alarm.composite && one.topic.region == alarm.region &&
                one.topic.severity == alarm.severity) {
                actions.push_back(one.topic.arn);
            }
        }
        alarm.input["AlarmActions"] = actions;
        alarm.input["OKActions"] = actions;
        if (!existing_in.contains(alarm.region)) {
            auto found = existing(alarm.region);
            if (!found) {
                return std::unexpected(found.error());
            }
            existing_in[alarm.region] = std::move(*found);
        }
        Existing& there = existing_in[alarm.region];
        AlarmChange change{Action::create, alarm};
        if (const auto at = there.find(alarm.name); at != there.end()) {
            change.how = difference(alarm.input, at->second);
            change.action = change.how.empty() ? Action::none : Action::change;
            if (change.action == Action::change) {
                const auto mine = ours(alarm.region, at->second);
                if (!mine) {
                    return std::unexpected(mine.error());
                }
                change.action = *mine ? Action::change : Action::leave;
            }
            there.erase(at);
        }
        plan.alarms.push_back(std::move(change));
    }
    for (const auto& [region, left] : existing_in) {
        for (const auto& [name, alarm] : left) {
            const auto mine = ours(region, alarm);
            if (!mine) {
                return std::unexpected(mine.error());
            }
            Alarm old;
            old.name = name;
            old.region = region;
            old.composite = alarm.contains("AlarmRule") && alarm["AlarmRule"].is_string();
            if (*mine) {
                plan.alarms.push_back({Action::remove, std::move(old)});
            }
        }
    }
    plan.wanted = std::move(*alarms);
    return plan;
}

ApiResult<AlarmPlan> AlarmAccount::plan_delete() {
    AlarmPlan plan;
    std::set<std::string> regions;
    for (std::string& region : watched_regions(config_)) {
        regions.insert(std::move(region));
    }
    if (const auto own = metrics_region(config_); !own.empty()) {
        regions.insert(own);
    }
    for (const std::string& region : regions) {
        if (const auto account_id = account(region); !account_id) {
            return std::unexpected(account_id.error());
        }
        plan.account = account_;
        const auto found = existing(region);
        if (!found) {
            return std::unexpected(found.error());
        }
        for (const auto& [name, alarm] : *found) {
            const auto mine = ours(region, alarm);
            if (!mine) {
                return std::unexpected(mine.error());
            }
            Alarm one;
            one.name = name;
            one.region = region;
            one.composite = alarm.contains("AlarmRule") && alarm["AlarmRule"].is_string();
            plan.alarms.push_back({*mine ? Action::remove : Action::leave, std::move(one)});
        }
        for (const Severity severity : kSeverities) {
            const std::string name =
                config_.aws.alarms.prefix + "-" + std::string(to_string(severity));
            const std::string arn = arn_of_topic(region, name);
            const auto tags = tags_of_topic(region, arn);
            if (!tags) {
                return std::unexpected(tags.error());
            }
            if (tags->is_null()) {
                continue;
            }
            plan.topics.push_back({has_own_tag(config_, *tags) ? Action::remove : Action::leave,
                                   {region, severity, name, arn}});
        }
    }
    return plan;
}

ApiResult<void> AlarmAccount::make_topic(const TopicChange& change,
                                         const std::function<void(const std::string&)>& step) {
    const ApiPlace sns{ApiService::sns, change.topic.region};
    if (change.action == Action::create) {
        step("create topic " + change.topic.arn);
        ApiClient::Parameters parameters{{"Name", change.topic.name}};
        const Json tags = own_tags(config_);
        for (std::size_t i = 0; i < tags.size(); ++i) {
            const std::string member = "Tags.member." + std::to_string(i + 1);
            parameters.emplace_back(member + ".Key", tags[i]["Key"].get<std::string>());
            parameters.emplace_back(member + ".Value", tags[i]["Value"].get<std::string>());
        }
        if (auto made = api_.query(sns, "CreateTopic", parameters, stop_); !made) {
            return std::unexpected(made.error());
        }
    }
    for (const Topic::Subscription& one : change.missing) {
        step("subscribe " + subscription_text(one) + " to " + change.topic.name);
        const auto made = api_.query(sns, "Subscribe",
                                     {{"TopicArn", change.topic.arn},
                                      {"Protocol", one.protocol},
                                      {"Endpoint", one.endpoint},
                                      {"ReturnSubscriptionArn", "true"}},
                                     stop_);
        if (!made) {
            return std::unexpected(made.error());
        }
    }
    return {};
}

ApiResult<void> AlarmAccount::remove(const AlarmPlan& plan,
                                     const std::function<void(const std::string&)>& step) {
    const auto ask = [&](const std::string& region, const Json& names) -> ApiResult<void> {
        step("delete " + std::to_string(names.size()) + " alarm" + (names.size() == 1 ? "" : "s") +
             " in " + region);
        if (auto done = cloudwatch(region, "DeleteAlarms", {{"AlarmNames", names}}); !done) {
            return std::unexpected(done.error());
        }
        return {};
    };
    // A call deletes one composite alarm at most, and those that others are suppressed by go last.
    std::vector<const AlarmChange*> composites;
    std::map<std::string, Json> others;
    for (const AlarmChange& one : plan.alarms) {
        if (one.action == Action::remove && one.alarm.composite) {
            composites.push_back(&one);
        } else if (one.action == Action::remove) {
            others[one.alarm.region].push_back(one.alarm.name);
        }
    }
    std::ranges::sort(composites, {}, [&](const AlarmChange* one) {
        const std::string_view name = one->alarm.name;
        return std::pair(name.starts_with(config_.aws.alarms.prefix + "-critical"), name);
    });
    for (const AlarmChange* one : composites) {
        if (auto done = ask(one->alarm.region, Json::array({one->alarm.name})); !done) {
            return done;
        }
    }
    for (const auto& [region, names] : others) {
        for (std::size_t at = 0; at < names.size(); at += kDeletedAtOnce) {
            const auto end = std::min(names.size(), at + kDeletedAtOnce);
            const Json some(std::vector<Json>(names.begin() + static_cast<std::ptrdiff_t>(at),
                                              names.begin() + static_cast<std::ptrdiff_t>(end)));
            if (auto done = ask(region, some); !done) {
                return done;
            }
        }
    }
    for (const TopicChange& one : plan.topics) {
        if (one.action != Action::remove) {
            continue;
        }
        step("delete topic " + one.topic.arn);
        if (auto done = api_.query({ApiService::sns, one.topic.region}, "DeleteTopic",
                                   {{"TopicArn", one.topic.arn}}, stop_);
            !done) {
            return std::unexpected(done.error());
        }
    }
    return {};
}

ApiResult<void> AlarmAccount::carry_out(const AlarmPlan& plan,
                                        const std::function<void(const std::string&)>& step) {
    for (const TopicChange& one : plan.topics) {
        if (one.action != Action::remove) {
            if (auto made = make_topic(one, step); !made) {
                return made;
            }
        }
    }
    // In the plan's order: metric alarms, then composites, the suppressing one first.
    for (const AlarmChange& one : plan.alarms) {
        if (one.action != Action::create && one.action != Action::change) {
            continue;
        }
        step(std::string(to_string(one.action)) + " alarm " + one.alarm.name + " in " +
             one.alarm.region);
        Json input = one.alarm.input;
        if (one.action == Action::create) {
            input["Tags"] = own_tags(config_);
        }
        if (auto done =
                cloudwatch(one.alarm.region,
                           one.alarm.composite ? "PutCompositeAlarm" : "PutMetricAlarm", input);
            !done) {
            return std::unexpected(done.error());
        }
    }
    return remove(plan, step);
}

}  // namespace weir::aws
