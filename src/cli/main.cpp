// The command line: what each word does is in the file named after it.

#include "cli/check_command.h"
#include "cli/demo.h"
#include "cli/env_command.h"
#include "cli/key_command.h"
#include "cli/plan_command.h"
#include "cli/serve_command.h"
#include "cli/sim_command.h"
#include "cli/sim_file.h"
#include "cli/version.h"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongUse = 2;

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
    std::string help_topic;
    weir::cli::DemoOptions demo;
    weir::cli::PlanOptions plan;
};

void add_plan(CLI::App& app, weir::cli::PlanOptions& plan) {
    CLI::App* command =
        app.add_subcommand("plan", "what would happen to a trace of traffic; docs/plan.md");
    command->add_option("--trace", plan.trace, "CSV, or weir's access log")->required();
    command->add_option("-c,--config", plan.config, "weir.yaml; without it, one Region");
    command->add_option("--model", plan.model, "of rows that do not say");
    command->add_option("--max-tokens", plan.max_tokens, "of rows that do not say")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{100'000'000}))
        ->capture_default_str();
    command->add_option("--load", plan.load, "set the quota so that the mean demand is this much")
        ->check(CLI::Range(0.001, 1000.0));
    command->add_option("--quota", plan.quotas, "MODEL=TOKENS[/REQUESTS] a minute; repeatable")
        ->allow_extra_args(false);
    command->add_flag("--learn", plan.learn, "the engine is not told the quotas");
    command->add_option("--deadline", plan.deadline, "an answer later than this is none")
        ->capture_default_str();
    command->add_option("--window", plan.window, "sliding, clock, bucket:60s or bucket:10s")
        ->capture_default_str();
    command->add_flag("--count-refusals", plan.count_refusals,
                      "refused calls count against requests a minute");
    command->add_option("--outage", plan.outages, "REGION:FROM-TO, seconds; repeatable")
        ->allow_extra_args(false);
    command->add_option("--spell", plan.spells, "the same, of 429s; repeatable")
        ->allow_extra_args(false);
    command->add_option("--foreign", plan.foreign, "share of the quota another program asks for")
        ->check(CLI::Range(0.0, 10.0));
    command->add_option("--ttft", plan.ttft, "time to the first token")->capture_default_str();
    command->add_option("--tokens-per-second", plan.tokens_per_second, "after the first token")
        ->check(CLI::Range(0.1, 1e6))
        ->capture_default_str();
    command->add_option("--estimate-spread", plan.estimate_spread, "of estimated over true input")
        ->check(CLI::Range(0.0, 2.0))
        ->capture_default_str();
    command->add_option("--sort-window", plan.sort_window,
                        "how far rows may be out of order; 1m, for an access log 15m");
    command->add_option("--seed", plan.seed, "repeats a run's random choices")
        ->capture_default_str();
    command->add_flag("--compare", plan.compare, "beside the article's loop and the AWS SDKs");
    command->add_flag("--json", plan.json, "every figure, as JSON");
    command->add_option("--svg", plan.svg, "draw it into this file");
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
    std::cerr << "weir help: there is no command `" << topic.substr(0, 60)
              << "`; `weir help` lists them\n";
    return kWrongUse;
}

int run(int argc, char** argv) {
    Arguments arguments;
    CLI::App app("Keeps programs on Amazon Bedrock answering through 429 and 503.", "weir");
    app.set_version_flag("--version", "weir " + weir::cli::version());
    app.require_subcommand(0, 1);
    app.footer("Exit codes: 0 done, 1 failed at work, 2 wrong use or configuration.");

    CLI::App* serve = app.add_subcommand("serve", "the gateway; SIGHUP reloads, SIGTERM drains");
    serve->add_option("-c,--config", arguments.config, "weir.yaml; without it, defaults");
    CLI::App* sim_command =
        app.add_subcommand("sim", "a stand-in for Bedrock: quotas, faults, one port a Region");
    sim_command->add_option("-c,--config", arguments.config, "sim.yaml; without it, two Regions");
    CLI::App* demo = app.add_subcommand("demo", "the same load sent several ways, side by side");
    demo->add_option("--seconds", arguments.demo.seconds, "how long the load lasts")
        ->check(CLI::Range(1.0, 3600.0))
        ->capture_default_str();
    demo->add_flag("--json", arguments.demo.json, "the table as JSON on stdout");
    demo->add_option("--seed", arguments.demo.seed, "repeats a run's random choices; 0: drawn");
    add_plan(app, arguments.plan);
    CLI::App* check = app.add_subcommand("check", "every mistake in a weir.yaml, with its place");
    check->add_option("file", arguments.config, "weir.yaml")->required();
    check->add_flag("--strict", arguments.strict, "warnings are mistakes too");
    CLI::App* print = app.add_subcommand(
        "print-config", "the configuration with every default filled in and explained");
    print->add_option("-c,--config", arguments.config, "weir.yaml; without it, defaults");
    CLI::App* env_command = app.add_subcommand("env", "what to set so that a client talks to weir");
    std::string clients;
    for (const std::string& name : weir::cli::known_clients())
        clients += (clients.empty() ? "" : ", ") + name;
    env_command->add_option("client", arguments.client, clients + "; without one, the list");
    env_command->add_option("--url", arguments.url, "where weir listens")->capture_default_str();
    CLI::App* key = app.add_subcommand("key", "client keys");
    key->require_subcommand(1);
    CLI::App* key_make = key->add_subcommand("new", "makes a key and shows it once");
    key_make->add_option("name", arguments.key_name, "the client's name")->required();
    key_make->add_flag("--sigv4", arguments.key_pair,
                       "an access key id and secret that the client's AWS SDK signs with");
    CLI::App* help_command = app.add_subcommand("help", "what a command does");
    help_command->add_option("command", arguments.help_topic, "its name");

    const std::string overview = app.help();  // once parsed, it would be the subcommand's
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kDone : kWrongUse;
    }

    if (serve->parsed())
        return weir::cli::run_serve(arguments.config);
    if (sim_command->parsed())
        return sim(arguments.config);
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
