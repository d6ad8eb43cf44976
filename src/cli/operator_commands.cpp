#include "cli/operator_commands.h"

#include <CLI/CLI.hpp>

namespace weir::cli {

OperatorCommands::OperatorCommands(CLI::App& app)
    : status_(app.add_subcommand(
          "status", "Show the running gateway's health, targets, quotas and queue; for scripts")),
      top_(app.add_subcommand("top", "Watch the running gateway in the terminal, worst first")),
      explain_(app.add_subcommand(
          "explain", "Tell the life of one request: waits, attempts, and what would be faster")),
      costs_(app.add_subcommand(
          "costs", "Tell what calls cost, by client, model, Region, account, tag or day")) {
    add_admin_options(*status_, status_options_.admin);
    status_->add_flag("--json", status_options_.json, "Print JSON, one line an answer");
    status_->add_flag("--watch", status_options_.watch, "Ask again and again");
    status_->add_option("--every", status_options_.every, "With --watch: how often")
        ->capture_default_str();
    status_->footer("Exit code: 0 healthy; 1 degraded; 2 down, not reachable, or wrong usage.");
    add_admin_options(*top_, top_options_.admin);
    top_->add_option("--every", top_options_.every, "How often the gateway is asked")
        ->capture_default_str();
    top_->footer(
        "Keys: q quit, s sort, Tab targets or clients, arrows, PgUp, PgDn and Home scroll.\n"
        "Colour only where the terminal has it and NO_COLOR is not set.");
    add_admin_options(*explain_, explain_options_.admin);
    explain_
        ->add_option("id", explain_options_.id,
                     "x-weir-request-id or x-amzn-RequestId of the answer, or id in the access log")
        ->required();
    explain_->add_flag("--json", explain_options_.json, "Print JSON");
    add_costs();
}

void OperatorCommands::add_costs() {
    add_admin_options(*costs_, costs_options_.admin);
    costs_
        ->add_option("--since", costs_options_.since,
                     "Days with today (7d), a day (2026-11-01), or month")
        ->capture_default_str();
    costs_
        ->add_option("--by", costs_options_.by,
                     "client, model, region, account, tag, day; several with commas")
        ->capture_default_str();
    auto* csv = costs_->add_flag("--csv", costs_options_.csv, "Print CSV (RFC 4180)");
    costs_->add_flag("--json", costs_options_.json, "Print JSON")->excludes(csv);
    costs_->add_option("--file", costs_options_.file,
                       "A ledger's file (costs.file), instead of the running gateway");
    costs_->add_flag("--prices", costs_options_.prices,
                     "Print the prices of tokens instead, with their sources");
    costs_->footer("What has no price is told as unknown and counts nothing: set `prices`.");
}

std::optional<int> OperatorCommands::run(const Getenv& getenv, std::ostream& out,
                                         std::ostream& err) const {
    if (status_->parsed()) {
        return run_status(status_options_, getenv, out, err);
    }
    if (top_->parsed()) {
        return run_top(top_options_, getenv, err);
    }
    if (explain_->parsed()) {
        return run_explain(explain_options_, getenv, out, err);
    }
    if (costs_->parsed()) {
        return run_costs(costs_options_, getenv, out, err);
    }
    return std::nullopt;
}

}  // namespace weir::cli
