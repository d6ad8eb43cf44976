// The settings under `aws.metrics`, `aws.alarms`, `aws.incidents` and `aws.actions`, one row each.
#pragma once

#include "policy/setting_row.h"

#include <weir/config.h>

namespace weir::policy {

constexpr Range kPercent{.least = 0,
                         .most = 100,
                         .least_excluded = true,
                         .otherwise = "must be above 0 and at most 100"};
constexpr Range kSome{.least = 1, .otherwise = "is 0; allowed is 1 or more"};

template <class V, Of<AwsMetricsConfig> C>
void visit(V& v, C& c) {
    v(c.to, {"to", "off, cloudwatch (once a minute), emf (lines in the access log)"});
    v(c.name_space, {.key = "namespace", .comment = "in CloudWatch", .traits = kShowEmpty});
    v(c.region, {"region", "where they go; unset: default_region"});
    v(c.max_series, {"max_series", "more are not sent; CloudWatch charges for each", kSome});
}

template <class V, Of<AlarmsConfig> C>
void visit(V& v, C& c) {
    v(c.prefix, {.key = "prefix", .comment = "of every alarm's name", .traits = kShowEmpty});
    v(c.critical, {"critical", "who is told: SNS topic ARN, email:ADDRESS, https URL"});
    v(c.warning, {"warning", "the same, of what can wait for the morning"});
    v(c.info, {"info", "the same, of trends"});
    v(c.runbooks, {.key = "runbooks", .comment = "URL of docs/runbooks", .traits = kUrl});
    v(c.throttles, {"throttles", "of a model in 5 minutes", kSome});
    v(c.quota_percent, {"quota_percent", "of a quota in use", kPercent});
    v(c.success_percent, {"success_percent", "of requests, over 10 minutes", kPercent});
}

template <class V, Of<IncidentsConfig> C>
void visit(V& v, C& c) {
    v(c.topic, {"topic", "ARN of an SNS topic that is told of incidents"});
    v(c.webhook, {.key = "webhook", .comment = "URL of an AWS DevOps Agent's", .traits = kUrl});
    v(c.secret, {.key = "secret", .comment = "signs for the webhook", .traits = kSecret});
    v(c.token, {.key = "token", .comment = "instead of it, as a bearer token", .traits = kSecret});
}

constexpr Range kActionLasts{.least = 1, .most = 7 * 24 * 3600, .otherwise = "must be 1s to 168h"};

template <class V, Of<ActionConfig> C>
void visit(V& v, C& c) {
    v(c.topic, {"topic", "ARN of the SNS topic that the alarm tells"});
    v(c.alarm, {"alarm", "name of the alarm, * stands for any text; unset: every alarm"});
    v(c.act, {"do", "close, drain or trip targets; shed calls"});
    v(c.region, {"region", "of the targets; unset: any"});
    v(c.model, {"model", "of the targets; unset: any"});
    v(c.account, {"account", "of the targets; unset: any"});
    v(c.priority, {"priority", "with shed: calls of this class and of lower ones"});
    v(c.lasts, {"for", "at most; the alarm's OK ends it earlier", kActionLasts});
}

}  // namespace weir::policy
