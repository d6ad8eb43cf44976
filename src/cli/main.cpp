// The command line: what each word does is in the file named after it.

#include "cli/account_commands.h"
#include "cli/aws_commands.h"
#include "cli/aws_init_command.h"
#include "cli/check_command.h"
#include "cli/client_command.h"
#include "cli/demo.h"
#include "cli/doctor_command.h"
#include "cli/env_command.h"
#include "cli/exit_codes.h"
#include "cli/health_command.h"
#include "cli/key_command.h"
#include "cli/operator_commands.h"
#include "cli/plan_command.h"
#include "cli/run_command.h"
#include "cli/serve_command.h"
#include "cli/sim_command.h"
#include "cli/sim_file.h"
#include "cli/target_command.h"
#include "cli/version.h"
#include "cli/whoami_command.h"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using weir::cli::kDone;
using weir::cli::kFailed;
using weir::cli::kWrongUse;

std::optional<std::string> environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

int env(const std::string& client, const std::string& url) {
    if (client.empty()) {
        for (const std::string& name : weir::cli::known_clients())
            std::cout << name << '\n';
        return kDone;
    }
    const auto text = weir::cli::environment_for(client, url);
    if (!text) {
        std::cerr << "weir env: " << text.error().message << '\n';
        return kWrongUse;
    }
    std::cout << *text;
    return kDone;
}

int key_new(const std::string& name) {
    const auto key = weir::cli::new_key();
    if (!key) {
        std::cerr << "weir key: " << key.error().message << '\n';
        return kFailed;
    }
    const auto text = weir::cli::key_text(name, *key);
    if (!text) {
        std::cerr << "weir key: " << text.error().message << '\n';
        return kWrongUse;
    }
    std::cout << *text;
    return kDone;
}

int key_new_pair(const std::string& name) {
    const auto pair = weir::cli::new_pair();
    if (!pair) {
        std::cerr << "weir key: " << pair.error().message << '\n';
        return kFailed;
    }
    const auto text = weir::cli::pair_text(name, *pair);
    if (!text) {
        std::cerr << "weir key: " << text.error().message << '\n';
        return kWrongUse;
    }
    std::cout << *text;
    return kDone;
}

int sim(const std::string& path) {
    auto loaded = weir::cli::load_sim(path, environment);
    for (const auto& complaint : loaded.complaints)
        std::cerr << weir::cli::to_string(complaint) << '\n';
    return loaded.complaints.empty() ? weir::cli::run_sim(loaded.settings) : kWrongUse;
}

struct Arguments {
    std::string config;
    std::string client;
    std::string url = "http://127.0.0.1:7070";
    std::string key_name;
    bool key_pair = false;
    bool strict = false;
    bool json = false;
    std::string help_topic;
    weir::cli::DemoOptions demo;
    weir::cli::PlanOptions plan;
    weir::cli::RunOptions run;
    weir::cli::HealthOptions health;
};

CLI::App* add_health(CLI::App& app, weir::cli::HealthOptions& health) {
    CLI::App* command = app.add_subcommand(
        "health",
        "Ask whether the gateway on this machine is ready, for a container's health check");
    command->add_option("-c,--config", health.config,
                        "weir.yaml that the gateway runs with; default: built-in settings, "
                        "WEIR_ADMIN, WEIR_LISTEN");
    command->add_option(
        "--url", health.url,
        "Address of the gateway or of its admin port, instead of the configured one");
    command->add_option("--timeout", health.timeout, "How long the answer may take")
        ->capture_default_str();
    command->footer(
        "It asks GET /readyz at the admin port, or at the first listener if there is none.\n"
        "Exit code: 0 ready; 1 draining, or no answer; 2 wrong usage.");
    return command;
}

CLI::App* add_run(CLI::App& app, weir::cli::RunOptions& run) {
    CLI::App* command = app.add_subcommand(
        "run", "Run a command with a gateway of its own, which its Bedrock clients use");
    command->add_option("-c,--config", run.config, "weir.yaml; default: built-in settings");
    command
        ->add_option("--client", run.clients,
                     "Set the variables of this client of `weir env` alone; repeatable; default: "
                     "of all")
        ->allow_extra_args(false);
    command->add_option("--log", run.log,
                        "File for weir's own log; default: warnings and errors to standard error");
    command->add_option("--access-log", run.access_log,
                        "File for one JSON line a request, as `weir plan --trace` reads it");
    command->add_flag("--quiet", run.quiet, "Do not print at the end what weir did");
    command->prefix_command();
    command->footer(
        "weir run [OPTIONS] -- COMMAND [ARGUMENT...]\n"
        "The command gets weir's address in the variables of its client and in WEIR_URL. Signals "
        "go on to it.\n"
        "Exit code: that of the command; 128+n if signal n ended it; 127 if it is not found, 126 "
        "if it cannot be executed.\n"
        "If the gateway cannot start, the command does not run: 2 wrong usage or configuration, 1 "
        "any other reason.");
    return command;
}

/// Splits `weir run OPTIONS -- COMMAND...`: everything after the first `--` is the command's, be it
/// an option or the name of one of weir's commands. Returns how many words are left to parse.
int take_command(int argc, char** argv, std::vector<std::string>& command) {
    if (argc < 2 || std::string_view(argv[1]) != "run") {
        return argc;
    }
    for (int i = 2; i < argc; ++i) {
        if (std::string_view(argv[i]) == "--") {
            command.assign(argv + i + 1, argv + argc);
            return i;
        }
    }
    return argc;
}

/// `weir run COMMAND -- X` has its `--` among the command's own words.
void join_command(std::vector<std::string> before, bool split, std::vector<std::string>& command) {
    if (before.empty()) {
        return;
    }
    if (split) {
        before.emplace_back("--");
    }
    command.insert(command.begin(), before.begin(), before.end());
}

void add_plan(CLI::App& app, weir::cli::PlanOptions& plan) {
    CLI::App* command = app.add_subcommand(
        "plan", "Replay a trace of traffic under a configuration, in virtual time");
    command->add_option("--trace", plan.calls.trace, "CSV file, or weir's access log")->required();
    command->add_option("-c,--config", plan.config, "weir.yaml; default: one Region, us-east-1");
    command->add_option("--model", plan.calls.model, "Model of the rows that name none");
    command
        ->add_option("--max-tokens", plan.calls.max_tokens, "max_tokens of the rows that give none")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{100'000'000}))
        ->capture_default_str();
    command
        ->add_option("--load", plan.service.load,
                     "Set the quota so that the mean demand is this multiple of it")
        ->check(CLI::Range(0.001, 1000.0));
    command
        ->add_option("--quota", plan.service.quotas,
                     "MODEL=TOKENS[/REQUESTS] per minute; repeatable")
        ->allow_extra_args(false);
    command->add_flag("--learn", plan.learn, "The engine has to learn the quotas");
    command
        ->add_option("--deadline", plan.calls.deadline,
                     "An answer later than this counts as failed")
        ->capture_default_str();
    command
        ->add_option("--window", plan.service.window,
                     "Shape of the service's minute: sliding, clock, bucket:60s or bucket:10s")
        ->capture_default_str();
    command->add_flag("--count-refusals", plan.service.count_refusals,
                      "Refused calls count against requests per minute");
    command
        ->add_option("--outage", plan.service.outages,
                     "REGION:FROM-TO in seconds: 503 for every call; repeatable")
        ->allow_extra_args(false);
    command
        ->add_option("--spell", plan.service.spells,
                     "REGION:FROM-TO in seconds: 429 for every call; repeatable")
        ->allow_extra_args(false);
    command
        ->add_option("--foreign", plan.service.foreign,
                     "Share of each quota that another program asks for")
        ->check(CLI::Range(0.0, 10.0));
    command->add_option("--ttft", plan.service.ttft, "Time to the first token")
        ->capture_default_str();
    command
        ->add_option("--tokens-per-second", plan.service.tokens_per_second,
                     "Output rate after the first token")
        ->check(CLI::Range(0.1, 1e6))
        ->capture_default_str();
    command
        ->add_option("--estimate-spread", plan.calls.estimate_spread,
                     "Standard deviation of the logarithm of estimated over true input")
        ->check(CLI::Range(0.0, 2.0))
        ->capture_default_str();
    command->add_option("--sort-window", plan.calls.sort_window,
                        "How far rows may be out of order; default: 1m, for an access log 15m");
    command
        ->add_option("--instances", plan.instances.count,
                     "How many gateways share the quotas; calls are spread at random")
        ->capture_default_str();
    command->add_option("--instance-shares", plan.instances.shares,
                        "Parts of the calls that each instance gets, such as 70,10,10,10; "
                        "clients: all calls of a client arrive at one instance");
    command
        ->add_option("--store-latency", plan.instances.store_latency,
                     "From an instance to the shared store and back")
        ->capture_default_str();
    command->add_option("--seed", plan.seed, "The same seed gives the same result")
        ->capture_default_str();
    command->add_flag("--compare", plan.output.compare,
                      "Also replay it with the retry loop of AWS's article and with the AWS SDKs");
    command->add_flag("--json", plan.output.json, "Print every figure as JSON");
    command->add_option("--svg", plan.output.svg, "Also draw the result into this SVG file");
}

int help(CLI::App& app, const std::string& overview, const std::string& topic) {
    if (topic.empty()) {
        std::cout << overview;
        return kDone;
    }
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        if (command->get_name() == topic) {
            std::cout << command->help("weir");
            return kDone;
        }
    }
    std::cerr << "weir help: unknown command `" << topic.substr(0, 60)
              << "`; `weir help` lists the commands\n";
    return kWrongUse;
}

int run(int argc, char** argv) {
    Arguments arguments;
    CLI::App app("A gateway for Amazon Bedrock that rides out 429 and 503.", "weir");
    app.set_version_flag("--version", "weir " + weir::cli::version());
    app.require_subcommand(0, 1);
    app.footer("Exit codes: 0 success, 1 failure while running, 2 wrong usage or configuration.");

    CLI::App* serve = app.add_subcommand(
        "serve", "Run the gateway. SIGHUP reloads the configuration, SIGTERM drains");
    serve->add_option("-c,--config", arguments.config, "weir.yaml; default: built-in settings");
    CLI::App* run_command = add_run(app, arguments.run);
    CLI::App* health = add_health(app, arguments.health);
    CLI::App* sim_command = app.add_subcommand(
        "sim", "Run a stand-in for Bedrock with quotas, faults and latency, one port per Region");
    sim_command->add_option("-c,--config", arguments.config,
                            "sim.yaml; default: us-east-1 on port 9001, us-west-2 on 9002");
    CLI::App* demo = app.add_subcommand(
        "demo", "Send the same load with and without weir to a stand-in for Bedrock, and compare");
    demo->add_option("--seconds", arguments.demo.seconds, "How long the run takes")
        ->check(CLI::Range(1.0, 3600.0))
        ->capture_default_str();
    demo->add_flag("--json", arguments.demo.json, "Print the result as JSON");
    demo->add_option("--seed", arguments.demo.seed,
                     "The same seed gives the same load and quota window; default: random");
    demo->add_option("--svg", arguments.demo.svg, "Also draw the result into this SVG file");
    demo->add_flag("--page", arguments.demo.page,
                   "Keep a gateway under load and print the address of its page; Ctrl-C ends it");
    demo->add_option("--from", arguments.demo.from,
                     "Show the result of an earlier run, from its --json output; nothing runs");
    add_plan(app, arguments.plan);
    CLI::App* check =
        app.add_subcommand("check", "Check a weir.yaml: list every error with its line and column");
    check->add_option("file", arguments.config, "weir.yaml")->required();
    check->add_flag("--strict", arguments.strict, "Treat warnings as errors");
    CLI::App* print = app.add_subcommand(
        "print-config", "Print the whole configuration: defaults filled in, every key explained");
    print->add_option("-c,--config", arguments.config, "weir.yaml; default: built-in settings");
    CLI::App* env_command =
        app.add_subcommand("env", "Print what to set so that a client talks to weir");
    std::string clients;
    for (const std::string& name : weir::cli::known_clients())
        clients += (clients.empty() ? "" : ", ") + name;
    env_command->add_option("client", arguments.client, clients + "; default: list them");
    env_command->add_option("--url", arguments.url, "Address of weir")->capture_default_str();
    CLI::App* key = app.add_subcommand("key", "Make keys for weir's clients");
    key->require_subcommand(1);
    CLI::App* key_make =
        key->add_subcommand("new", "Make a key, show it once, and print its entry for weir.yaml");
    key_make->add_option("name", arguments.key_name, "Name of the client")->required();
    key_make->add_flag("--sigv4", arguments.key_pair,
                       "Make an access key id and a secret for AWS SDKs instead of a bearer key");
    weir::cli::AccountCommands account_commands(app);
    CLI::App* whoami = app.add_subcommand(
        "whoami", "Show whose credentials weir signs with, their source and their expiry");
    CLI::App* doctor = app.add_subcommand(
        "doctor", "Try what keeps weir from calling Bedrock, and say what to do about it");
    for (CLI::App* command : {whoami, doctor}) {
        command->add_option("-c,--config", arguments.config,
                            "weir.yaml; default: built-in settings");
        command->add_flag("--json", arguments.json, "Print the result as JSON");
    }
    const weir::cli::OperatorCommands operator_commands(app);
    const weir::cli::AwsCommands aws_commands(app);
    const weir::cli::TargetCommand target_command(app);
    const weir::cli::ClientCommand client_command(app);
    const weir::cli::AwsInitCommand aws_init_command(app);
    CLI::App* help_command = app.add_subcommand("help", "Show the help of a command");
    help_command->add_option("command", arguments.help_topic, "Name of the command");

    const std::string overview = app.help();  // once parsed, it would be the subcommand's
    const int words = take_command(argc, argv, arguments.run.command);
    try {
        app.parse(words, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kDone : kWrongUse;
    }

    if (const auto code = account_commands.run(environment))
        return *code;
    if (serve->parsed())
        return weir::cli::run_serve(arguments.config);
    if (run_command->parsed()) {
        join_command(run_command->remaining(), words < argc, arguments.run.command);
        if (arguments.run.command.empty()) {
            std::cerr << "weir run: no command; weir run -- COMMAND ARGUMENT...\n";
            return kWrongUse;
        }
        return weir::cli::run_run(arguments.run);
    }
    if (health->parsed())
        return weir::cli::run_health(arguments.health, environment, std::cout, std::cerr);
    if (sim_command->parsed())
        return sim(arguments.config);
    arguments.demo.seconds_given = demo->count("--seconds") > 0;
    if (demo->parsed())
        return weir::cli::run_demo(arguments.demo);
    if (app.got_subcommand("plan"))
        return weir::cli::run_plan(arguments.plan, environment, std::cout, std::cerr);
    if (check->parsed())
        return weir::cli::run_check(arguments.config, environment, std::cout, std::cerr,
                                    arguments.strict);
    if (print->parsed())
        return weir::cli::run_print_config(arguments.config, environment, std::cout, std::cerr);
    if (env_command->parsed())
        return env(arguments.client, arguments.url);
    if (key_make->parsed())
        return arguments.key_pair ? key_new_pair(arguments.key_name) : key_new(arguments.key_name);
    if (whoami->parsed())
        return weir::cli::run_whoami(arguments.config, arguments.json, environment, std::cout,
                                     std::cerr);
    if (doctor->parsed())
        return weir::cli::run_doctor(arguments.config, arguments.json, environment, std::cout,
                                     std::cerr);
    if (const auto code = operator_commands.run(environment, std::cout, std::cerr))
        return *code;
    if (const auto code = aws_commands.run(environment, std::cout, std::cerr))
        return *code;
    if (const auto code = target_command.run(environment, std::cout, std::cerr))
        return *code;
    if (const auto code = client_command.run(environment, std::cout, std::cerr))
        return *code;
    if (const auto code = aws_init_command.run(environment, std::cout, std::cerr))
        return *code;
    if (help_command->parsed())
        return help(app, overview, arguments.help_topic);
    std::cerr << overview;
    return kWrongUse;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "weir: " << error.what() << '\n';
        return kFailed;
    }
}
