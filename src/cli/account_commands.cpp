#include "cli/account_commands.h"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <iostream>

namespace weir::cli {
namespace {

void add_common(CLI::App* command, QuotasOptions& options) {
    command->add_option("-c,--config", options.config, "weir.yaml; default: built-in settings");
    command->add_option("--region", options.region, "This Region alone");
    command->add_option("--account", options.account,
                        "This one of `accounts`, with its own credentials; default: that of "
                        "`credentials`, of a plain `weir quotas` all");
    command
        ->add_option("--days", options.days,
                     "How far back to look; CloudWatch keeps single minutes for 15 days")
        ->check(CLI::Range(1, 15))
        ->capture_default_str();
}

}  // namespace

AccountCommands::AccountCommands(CLI::App& app) {
    list_ = app.add_subcommand(
        "quotas", "Show what the account may use and its true peaks; analyze, ask for more");
    list_->require_subcommand(0, 1);
    add_common(list_, quotas_);
    list_->add_option("--model", quotas_.model, "This model alone; default: the configuration's");
    list_->add_flag("--json", quotas_.json, "Print it as JSON");
    list_->footer(
        "Needs servicequotas:List*, cloudwatch:GetMetricData and ListMetrics: `weir iam-policy`.\n"
        "AWS charges about $0.01 for 200 models and Regions (GetMetricData).\n"
        "Exit code: 0 done; 1 AWS gave nothing; 2 wrong usage or configuration.");

    analyze_ = list_->add_subcommand(
        "analyze", "True peaks of each client and model, and the quota that they call for");
    add_common(analyze_, quotas_);
    analyze_->add_option("--model", quotas_.model, "This model alone");
    analyze_->add_option("--log", quotas_.log, "weir's access log: peaks of each client");
    analyze_
        ->add_option("--grow", quotas_.grow,
                     "CLIENT=FACTOR: expect this client to grow; repeatable")
        ->allow_extra_args(false);
    analyze_->add_flag("--offline", quotas_.offline, "Ask AWS nothing: the log alone");
    analyze_->add_flag("--json", quotas_.json, "Print it as JSON");

    case_ = list_->add_subcommand("case", "Write the text and tables of a support case, Markdown");
    add_common(case_, quotas_);
    case_->add_option("model", quotas_.model, "Id of the model, with its us. or global.")
        ->required();

    request_ = list_->add_subcommand(
        "request", "Ask Service Quotas for an increase, with its reasons, and follow it");
    add_common(request_, quotas_);
    request_->add_option("model", quotas_.model, "Id of the model, with its us. or global.")
        ->required();
    constexpr std::uint64_t kMost = 1'000'000'000'000'000;
    request_->add_option("--tokens-per-minute", quotas_.tokens_per_minute, "What to ask for")
        ->check(CLI::Range(std::uint64_t{1}, kMost));
    request_->add_option("--requests-per-minute", quotas_.requests_per_minute, "What to ask for")
        ->check(CLI::Range(std::uint64_t{1}, kMost));
    request_->add_flag("--yes", quotas_.yes, "Do not ask before it is submitted");
    request_->add_flag("--dry-run", quotas_.dry_run, "Show the request and submit nothing");
    request_->add_option("--wait", quotas_.wait, "How long to follow its state")
        ->capture_default_str();

    policy_command_ = app.add_subcommand(
        "iam-policy", "Print the IAM policy that a configuration needs, and no more");
    policy_command_->add_option("-c,--config", policy_.config,
                                "weir.yaml; default: built-in settings");
    policy_command_->add_option("--account", policy_.account,
                                "For the role of this one of `accounts`");
    policy_command_->add_option("--account-id", policy_.account_id,
                                "Number of the account, for ARNs of profiles; default: any");
    policy_command_->add_flag("--explain", policy_.explain,
                              "Say on standard error what each statement is for");
    policy_command_->add_flag("--all-models", policy_.all_models,
                              "Allow models without a route as well");
    policy_command_->add_flag("--operations", policy_.operations,
                              "For those who run weir quotas, not for the gateway");
    policy_command_
        ->add_option("--also", policy_.also,
                     "What clients do beside inference: guardrails, async, list; repeatable")
        ->check(CLI::IsMember({"guardrails", "async", "list"}))
        ->allow_extra_args(false);

    routes_command_ = app.add_subcommand(
        "routes", "Record where each route may send calls and where they may be processed");
    routes_command_->add_flag("--audit", routes_.audit, "The record of residency");
    routes_command_->add_option("-c,--config", routes_.config,
                                "weir.yaml; default: built-in settings");
    routes_command_->add_flag("--json", routes_.json, "Print it as JSON");
    routes_command_->add_flag("--offline", routes_.offline,
                              "Do not ask Bedrock where inference profiles run");
    routes_command_->footer(
        "Exit code: 0 done; 1 Bedrock says that a target may leave its route's residency; 2 wrong "
        "usage or configuration.");
}

std::optional<int> AccountCommands::run(const Getenv& getenv) {
    if (analyze_->parsed())
        return run_quotas_analyze(quotas_, getenv, std::cout, std::cerr);
    if (case_->parsed())
        return run_quotas_case(quotas_, getenv, std::cout, std::cerr);
    if (request_->parsed())
        return run_quotas_request(quotas_, getenv, std::cin, std::cout, std::cerr);
    if (list_->parsed())
        return run_quotas(quotas_, getenv, std::cout, std::cerr);
    if (policy_command_->parsed())
        return run_iam_policy(policy_, getenv, std::cout, std::cerr);
    if (routes_command_->parsed())
        return run_routes(routes_, getenv, std::cout, std::cerr);
    return std::nullopt;
}

}  // namespace weir::cli
