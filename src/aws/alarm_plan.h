// Alarms of an account against those that the configuration calls for: what is missing, what
// differs, what is left over; and carrying that out.
#pragma once

#include "aws/alarms.h"
#include "aws/api.h"

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace weir::aws {

enum class Action : std::uint8_t {
    none,
    create,
    change,
    remove,
    leave  ///< of that name, but not made by weir: not touched
};
std::string_view to_string(Action action);

struct AlarmChange {
    Action action = Action::none;
    Alarm alarm;
    std::string how = {};  // of a change: what differs
};

struct TopicChange {
    Action action = Action::none;  // create, none or leave
    Topic topic;
    std::vector<Topic::Subscription> missing = {};
    std::vector<Topic::Subscription> unconfirmed = {};
};

struct AlarmPlan {
    std::string account;
    std::vector<Alarm> wanted;  // with their actions
    std::vector<TopicChange> topics;
    std::vector<AlarmChange> alarms;

    bool changes() const;
    /// Whether somebody hears of this severity in this Region.
    bool heard(const std::string& region, Severity severity) const;
};

/// What DescribeAlarms gives for names of ours in one Region, by name.
using Existing = std::map<std::string, nlohmann::json>;

class AlarmAccount {
public:
    /// `config` and `api` outlive it.
    AlarmAccount(const Config& config, const ApiClient& api, const std::atomic<bool>& stop)
        : config_(config), api_(api), stop_(stop) {}

    /// Reads only.
    ApiResult<AlarmPlan> plan();
    /// What delete() would take away: alarms and topics with our prefix and our tag, in the Regions
    /// of the configuration.
    ApiResult<AlarmPlan> plan_delete();
    /// Creates, changes and removes; the first failure ends it. Told of each step before it.
    ApiResult<void> carry_out(const AlarmPlan& plan,
                              const std::function<void(const std::string&)>& step);

    ApiResult<Existing> existing(const std::string& region);
    ApiResult<nlohmann::json> cloudwatch(const std::string& region, const std::string& operation,
                                         const nlohmann::json& input) const;

    /// Whether an alarm, as existing() gives it, has our tag.
    ApiResult<bool> ours(const std::string& region, const nlohmann::json& alarm);

private:
    ApiResult<std::string> account(const std::string& region);
    ApiResult<TopicChange> compare(Topic topic);
    ApiResult<void> remove(const AlarmPlan& plan,
                           const std::function<void(const std::string&)>& step);
    ApiResult<void> make_topic(const TopicChange& change,
                               const std::function<void(const std::string&)>& step);
    /// null: there is no such topic.
    ApiResult<nlohmann::json> tags_of_topic(const std::string& region,
                                            const std::string& arn) const;
    std::string arn_of_topic(const std::string& region, const std::string& name) const;

    const Config& config_;
    const ApiClient& api_;
    const std::atomic<bool>& stop_;
    std::string account_;
    std::string partition_ = "aws";
};

}  // namespace weir::aws
