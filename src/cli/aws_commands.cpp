#include "cli/aws_commands.h"

#include <CLI/CLI.hpp>

namespace weir::cli {

namespace {

void add_alarms(CLI::App& alarms, AlarmsOptions& options) {
    alarms.require_subcommand(1);
    const auto add = [&](const char* name, const char* what, bool changes) {
        CLI::App* command = alarms.add_subcommand(name, what);
        command->add_option("-c,--config", options.config, "weir.yaml");
        command->add_flag("--json", options.json, "Print JSON");
        if (changes) {
            command->add_flag("--yes", options.yes, "Do not ask");
            command->add_flag("--dry-run", options.dry_run,
                              "Show what would be done, change nothing");
        }
        return command;
    };
    add("plan", "Show what differs from the alarms that exist, and what they cost", false);
    add("apply", "Create and change alarms, topics and subscriptions; delete what is left over",
        true);
    CLI::App* test =
        add("test", "Ring alarms as a drill, wait for the delivery, put them back", true);
    test->add_option("alarm", options.alarm,
                     "Only this one; default: one for each severity and Region");
    test->add_option("--wait", options.wait, "How long a delivery may take")->capture_default_str();
    add("delete", "Delete the alarms and topics that weir made", true);
    alarms.footer(
        "Only alarms whose name begins with aws.alarms.prefix and that carry weir's tag are "
        "touched.\n"
        "Exit code: 0 done; 1 failed, refused, or a drill not delivered; 2 wrong usage.");
}

void add_dashboard(CLI::App& command, DashboardOptions& options) {
    command.add_option("-c,--config", options.config, "weir.yaml");
    command.add_option("--put", options.put, "Put it under this name instead of printing it");
    command.add_option("--region", options.region,
                       "Where it is put; default: aws.metrics.region, else default_region");
    command.add_flag("--yes", options.yes, "Do not ask");
    command.add_flag("--dry-run", options.dry_run, "Show what would be done, change nothing");
}

void add_queries(CLI::App& command, LogQueriesOptions& options) {
    command.add_option("query", options.name, "Only this one; default: all");
    command.add_option("-c,--config", options.config, "weir.yaml");
    command.add_flag("--put", options.put, "Save them as query definitions in the folder weir/");
    command
        .add_option("--log-group", options.log_groups,
                    "With --put: log group of weir's access log; repeatable")
        ->allow_extra_args(false);
    command
        .add_option("--bedrock-log-group", options.bedrock_groups,
                    "With --put: log group of Bedrock's model invocation log; repeatable")
        ->allow_extra_args(false);
    command.add_option("--region", options.region,
                       "Where they are put; default: aws.metrics.region, else default_region");
    command.add_flag("--yes", options.yes, "Do not ask");
    command.add_flag("--dry-run", options.dry_run, "Show what would be done, change nothing");
}

}  // namespace

AwsCommands::AwsCommands(CLI::App& app)
    : alarms_(app.add_subcommand(
          "alarms",
          "CloudWatch alarms for the configured models and Regions; AWS charges for them")),
      dashboard_(app.add_subcommand(
          "dashboard", "Print or put a CloudWatch dashboard of the configured models and Regions")),
      queries_(app.add_subcommand(
          "logs-queries",
          "Print or save CloudWatch Logs Insights queries over the access log and Bedrock's")),
      incidents_(app.add_subcommand(
          "incidents", "List the incidents that the running gateway has opened and resolved")) {
    add_alarms(*alarms_, alarms_options_);
    add_dashboard(*dashboard_, dashboard_options_);
    add_queries(*queries_, queries_options_);
    add_admin_options(*incidents_, incidents_options_.admin);
    incidents_->add_flag("--json", incidents_options_.json, "Print JSON");
}

std::optional<int> AwsCommands::run(const Getenv& getenv, std::ostream& out,
                                    std::ostream& err) const {
    if (alarms_->got_subcommand("plan")) {
        return run_alarms_plan(alarms_options_, getenv, out, err);
    }
    if (alarms_->got_subcommand("apply")) {
        return run_alarms_apply(alarms_options_, getenv, out, err);
    }
    if (alarms_->got_subcommand("test")) {
        return run_alarms_test(alarms_options_, getenv, out, err);
    }
    if (alarms_->got_subcommand("delete")) {
        return run_alarms_delete(alarms_options_, getenv, out, err);
    }
    if (dashboard_->parsed()) {
        return run_dashboard(dashboard_options_, getenv, out, err);
    }
    if (queries_->parsed()) {
        return run_log_queries(queries_options_, getenv, out, err);
    }
    if (incidents_->parsed()) {
        return run_incidents(incidents_options_, getenv, out, err);
    }
    return std::nullopt;
}

}  // namespace weir::cli
