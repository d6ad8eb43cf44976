#include "cli/alarms_command.h"

#include "aws/alarm_plan.h"
#include "aws/drill.h"
#include "aws/watched.h"
#include "cli/aws_access.h"
#include "cli/exit_codes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ostream>
#include <set>

namespace weir::cli {

namespace {

using aws::Action;
using aws::AlarmChange;
using aws::AlarmPlan;
using aws::TopicChange;
using OrderedJson = nlohmann::ordered_json;

char sign(Action action) {
    switch (action) {
        case Action::create:
            return '+';
        case Action::change:
            return '~';
        case Action::remove:
            return '-';
        case Action::leave:
            return '!';
        case Action::none:
            break;
    }
    return '=';
}

std::string list(const std::vector<aws::Topic::Subscription>& subscriptions) {
    std::string out;
    for (const auto& one : subscriptions) {
        out += (out.empty() ? "" : ", ") + one.protocol + " " + one.endpoint;
    }
    return out;
}

/// The first sentence says what it is about.
std::string about(const aws::Alarm& alarm) {
    const std::string text = alarm.input.value("AlarmDescription", "");
    return text.substr(0, text.find(". "));
}

void print_topic(const TopicChange& one, std::ostream& out) {
    out << fmt::format("  {} topic {}\n", sign(one.action), one.topic.arn);
    if (!one.missing.empty()) {
        out << "      subscribes " << list(one.missing) << '\n';
    }
    if (!one.unconfirmed.empty()) {
        out << "      not confirmed yet, and told nothing until then: " << list(one.unconfirmed)
            << '\n';
    }
}

void print_alarm(const AlarmChange& one, std::ostream& out) {
    out << fmt::format("  {} {}", sign(one.action), one.alarm.name);
    if (one.action == Action::leave) {
        out << ": not made by weir, left alone";
    } else if (one.action == Action::change) {
        out << ": " << one.how;
    } else if (one.action == Action::create && !one.alarm.composite) {
        out << ": " << about(one.alarm);
    }
    out << '\n';
}

void print_plan(const AlarmPlan& plan, std::ostream& out) {
    std::set<std::string> regions;
    for (const AlarmChange& one : plan.alarms) {
        regions.insert(one.alarm.region);
    }
    for (const TopicChange& one : plan.topics) {
        regions.insert(one.topic.region);
    }
    for (const std::string& region : regions) {
        out << region << ", account " << plan.account << ":\n";
        for (const TopicChange& one : plan.topics) {
            if (one.topic.region == region) {
                print_topic(one, out);
            }
        }
        std::size_t same = 0;
        for (const AlarmChange& one : plan.alarms) {
            if (one.alarm.region != region) {
                continue;
            }
            if (one.action == Action::none) {
                ++same;
            } else {
                print_alarm(one, out);
            }
        }
        if (same > 0) {
            out << fmt::format("  = {} alarm{} as configured\n", same, same == 1 ? "" : "s");
        }
    }
}

void print_listeners_and_price(const AlarmPlan& plan, const Config& config, std::ostream& out) {
    std::set<std::string> silent;
    for (const aws::Alarm& alarm : plan.wanted) {
        if (alarm.composite && !plan.heard(alarm.region, alarm.severity)) {
            silent.insert(fmt::format("{} in {}", to_string(alarm.severity), alarm.region));
        }
    }
    if (!silent.empty()) {
        out << fmt::format("Nobody is told of {}: set aws.alarms.critical, warning, info.\n",
                           fmt::join(silent, ", "));
    }
    if (config.aws.metrics.to == MetricsTo::off) {
        out << "Without aws.metrics there are no alarms on 503, on what clients get and on "
               "connections: CloudWatch does not know of them.\n";
    }
    out << fmt::format(
        "Cost: {:.2f} USD a month for {} alarms (us-east-1, price list of 2026-11: 0.10 for each "
        "metric that an alarm reads, 0.50 for a composite alarm; the first 10 metrics are free).\n",
        monthly_price(plan.wanted), plan.wanted.size());
}

OrderedJson to_json(const AlarmPlan& plan) {
    OrderedJson out{{"account", plan.account},
                    {"alarms", OrderedJson::array()},
                    {"topics", OrderedJson::array()},
                    {"monthly_usd", monthly_price(plan.wanted)}};
    for (const AlarmChange& one : plan.alarms) {
        out["alarms"].push_back({{"name", one.alarm.name},
                                 {"region", one.alarm.region},
                                 {"severity", to_string(one.alarm.severity)},
                                 {"composite", one.alarm.composite},
                                 {"action", to_string(one.action)},
                                 {"differs", one.how}});
    }
    for (const TopicChange& one : plan.topics) {
        out["topics"].push_back({{"arn", one.topic.arn},
                                 {"region", one.topic.region},
                                 {"severity", to_string(one.topic.severity)},
                                 {"action", to_string(one.action)},
                                 {"subscribes", list(one.missing)},
                                 {"unconfirmed", list(one.unconfirmed)}});
    }
    return out;
}

int failed(const AwsAccess& access, const aws::ApiError& error, std::ostream& err) {
    err << "weir alarms: " << access.explain(error) << '\n';
    return kFailed;
}

/// What is wrong with the configuration is told before anything is asked of AWS.
bool fits(const Config& config, std::ostream& err) {
    const auto alarms = aws::make_alarms(config);
    const auto topics =
        alarms ? aws::make_topics(config, *alarms) : Result<std::vector<aws::Topic>>{};
    if (alarms && topics) {
        return true;
    }
    err << "weir alarms: " << (alarms ? topics.error() : alarms.error()).message << '\n';
    return false;
}

int carry_out(aws::AlarmAccount& account, const AwsAccess& access, const AlarmPlan& plan,
              const AlarmsOptions& options, std::ostream& out, std::ostream& err) {
    std::size_t steps = 0;
    const auto done = account.carry_out(plan, [&](const std::string& step) {
        ++steps;
        if (!options.json) {
            out << step << '\n' << std::flush;
        }
    });
    if (!done) {
        err << "weir alarms: this failed, after which nothing more was done: ";
        return failed(access, done.error(), err);
    }
    if (!options.json) {
        out << fmt::format("Done: {} change{}.\n", steps, steps == 1 ? "" : "s");
    }
    return kDone;
}

}  // namespace

int run_alarms_plan(AlarmsOptions options, const Getenv& getenv, std::ostream& out,
                    std::ostream& err) {
    options.dry_run = true;
    return run_alarms_apply(options, getenv, out, err);
}

int run_alarms_apply(const AlarmsOptions& options, const Getenv& getenv, std::ostream& out,
                     std::ostream& err) {
    const auto access = open_access(options.config, getenv, err);
    if (!access || !fits(access->config(), err)) {
        return kWrongUse;
    }
    aws::AlarmAccount account(access->config(), access->api(), stop_at_signal());
    const auto plan = account.plan();
    if (!plan) {
        return failed(*access, plan.error(), err);
    }
    if (options.json) {
        out << to_json(*plan).dump(2) << '\n';
    } else {
        print_plan(*plan, out);
        print_listeners_and_price(*plan, access->config(), out);
    }
    if (!plan->changes() && !options.json) {
        out << "Nothing to change.\n";
    }
    if (!plan->changes() || options.dry_run) {
        return kDone;
    }
    if (const auto code = not_agreed("alarms", "Make these changes?", options.yes, out, err)) {
        return *code;
    }
    const int code = carry_out(account, *access, *plan, options, out, err);
    const bool mail = std::ranges::any_of(
        plan->topics, [](const TopicChange& one) { return !one.missing.empty(); });
    if (code == kDone && mail && !options.json) {
        out << "Each new subscriber has got a message from AWS and is told nothing before "
               "confirming it.\n";
    }
    return code;
}

int run_alarms_delete(const AlarmsOptions& options, const Getenv& getenv, std::ostream& out,
                      std::ostream& err) {
    const auto access = open_access(options.config, getenv, err);
    if (!access) {
        return kWrongUse;
    }
    aws::AlarmAccount account(access->config(), access->api(), stop_at_signal());
    const auto plan = account.plan_delete();
    if (!plan) {
        return failed(*access, plan.error(), err);
    }
    if (options.json) {
        out << to_json(*plan).dump(2) << '\n';
    } else {
        print_plan(*plan, out);
    }
    if (!plan->changes()) {
        if (!options.json) {
            out << "There is nothing of weir's to delete.\n";
        }
        return kDone;
    }
    if (options.dry_run) {
        return kDone;
    }
    if (const auto code = not_agreed("alarms", "Delete these?", options.yes, out, err)) {
        return *code;
    }
    return carry_out(account, *access, *plan, options, out, err);
}

int run_alarms_test(const AlarmsOptions& options, const Getenv& getenv, std::ostream& out,
                    std::ostream& err) {
    const auto wait = parse_duration(options.wait);
    if (!wait || *wait <= Duration::zero()) {
        err << "weir alarms test: --wait: " << (wait ? "must be above 0" : wait.error().message)
            << '\n';
        return kWrongUse;
    }
    const auto access = open_access(options.config, getenv, err);
    if (!access || !fits(access->config(), err)) {
        return kWrongUse;
    }
    auto drills = aws::choose_drills(*aws::make_alarms(access->config()), options.alarm);
    if (drills.empty()) {
        err << "weir alarms test: no alarm is called " << options.alarm.substr(0, 255) << '\n';
        return kWrongUse;
    }
    if (!options.json) {
        for (const aws::Drill& drill : drills) {
            out << fmt::format("{}: rings {} and whoever it tells, then is put back\n",
                               drill.alarm.region, drill.alarm.name);
        }
    }
    if (options.dry_run) {
        return kDone;
    }
    if (const auto code = not_agreed("alarms", "People will be told of these drills. Go on?",
                                     options.yes, out, err)) {
        return *code;
    }
    int code = kDone;
    const auto& stop = stop_at_signal();
    OrderedJson results = OrderedJson::array();
    for (aws::Drill& drill : drills) {
        if (stop) {
            break;
        }
        drill.wait = std::chrono::ceil<std::chrono::seconds>(*wait);
        const auto result = run_drill(access->config(), access->api(), drill, stop);
        const bool good = result.outcome == aws::DrillResult::Outcome::delivered && result.put_back;
        code = good ? code : kFailed;
        results.push_back({{"alarm", drill.alarm.name},
                           {"region", drill.alarm.region},
                           {"outcome", to_string(result.outcome)},
                           {"detail", result.detail},
                           {"put_back", result.put_back},
                           {"seconds", result.took.count()}});
        if (!options.json) {
            out << fmt::format("{}: {} after {} s: {}\n", drill.alarm.name,
                               to_string(result.outcome), result.took.count(), result.detail)
                << std::flush;
            if (result.set && !result.put_back) {
                err << "weir alarms test: the state of " << drill.alarm.name
                    << " could not be put back; CloudWatch does that within minutes\n";
            }
        }
    }
    if (options.json) {
        out << results.dump(2) << '\n';
    }
    return code;
}

}  // namespace weir::cli
