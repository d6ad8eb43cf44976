// What may stand under `aws`: metrics, alarms, incidents, actions.

#include "policy/validate.h"

#include <algorithm>

namespace weir::policy {

namespace {

// An alarm's name is the prefix, its kind and a model id: 255 characters at most.
constexpr std::size_t kMostPrefix = 40;
constexpr std::size_t kMostNamespace = 255;

bool is_clean(const std::string& text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c != '"' && c < '\x7f'; });
}

bool is_topic(const std::string& text) {
    return is_clean(text) && text.starts_with("arn:") && text.find(":sns:") != std::string::npos;
}

bool is_recipient(const std::string& text) {
    if (!is_clean(text)) {
        return false;
    }
    const auto at = text.find('@');
    return is_topic(text) || (text.starts_with("https://") && text.size() > 8) ||
           (text.starts_with("http://") && text.size() > 7) ||
           (text.starts_with("email:") && at != std::string::npos && at > 6 &&
            at + 1 < text.size());
}

void validate_recipients(const std::string& path, const std::vector<std::string>& recipients,
                         Problems& problems) {
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        problems.require(is_recipient(recipients[i]), element(path, i),
                         quoted(recipients[i]) +
                             " is nobody to tell; allowed are an SNS topic's ARN, "
                             "`email:ADDRESS`, and an https:// URL");
    }
}

/// What an alarm may do to which targets.
void validate_action(const std::string& path, const Config& config, const ActionConfig& action,
                     Problems& problems) {
    const bool sheds = action.act == AlarmAction::shed;
    const bool names = !action.region.empty() || !action.model.empty() || !action.account.empty();
    problems.require(is_topic(action.topic), path + ".topic",
                     quoted(action.topic) + " is not the ARN of an SNS topic");
    problems.require(sheds || !action.region.empty() || !action.model.empty(), path + ".do",
                     "needs `region`, `model` or both: which targets");
    problems.require(
        !sheds || !names, path + ".do",
        "shed is for all targets: `region`, `model` and `account` do not belong to it");
    problems.require(
        action.region.empty() || config.regions.empty() || config.regions.contains(action.region),
        path + ".region", quoted(action.region) + " is not declared in `regions`");
    problems.require(action.account.empty() || action.account == kDefaultAccount ||
                         config.accounts.contains(action.account),
                     path + ".account", quoted(action.account) + " is not declared in `accounts`");
}

}  // namespace

void validate_aws(const Config& config, Problems& problems) {
    const AwsConfig& aws = config.aws;
    const auto printable = [](char c) { return c > ' ' && c < '\x7f'; };
    problems.require(!aws.metrics.name_space.empty() &&
                         aws.metrics.name_space.size() <= kMostNamespace &&
                         !aws.metrics.name_space.starts_with("AWS/") &&
                         std::ranges::all_of(aws.metrics.name_space, printable),
                     "aws.metrics.namespace",
                     quoted(aws.metrics.name_space) +
                         " is not a namespace; allowed are 1 to 255 characters without blanks that "
                         "do not begin with AWS/");
    problems.require(is_plain_name(aws.alarms.prefix, kMostPrefix), "aws.alarms.prefix",
                     quoted(aws.alarms.prefix) +
                         " is not a prefix; allowed are 1 to 40 letters, digits, '-', '_' and '.'");
    validate_recipients("aws.alarms.critical", aws.alarms.critical, problems);
    validate_recipients("aws.alarms.warning", aws.alarms.warning, problems);
    validate_recipients("aws.alarms.info", aws.alarms.info, problems);
    const IncidentsConfig& incidents = aws.incidents;
    problems.require(incidents.topic.empty() || is_topic(incidents.topic), "aws.incidents.topic",
                     quoted(incidents.topic) + " is not the ARN of an SNS topic");
    problems.require(incidents.secret.empty() || incidents.token.empty(), "aws.incidents.token",
                     "and `secret` are both set; allowed is one of them");
    for (std::size_t i = 0; i < aws.actions.size(); ++i) {
        validate_action(element("aws.actions", i), config, aws.actions[i], problems);
    }
    problems.require(
        incidents.webhook.empty() || !incidents.secret.empty() || !incidents.token.empty(),
        "aws.incidents.webhook", "needs `secret` or `token`, as the agent gave it");
}

}  // namespace weir::policy
