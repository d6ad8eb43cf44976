#include "cli/client_command.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <ostream>

namespace weir::cli {

namespace {

using OrderedJson = nlohmann::ordered_json;

void print_clients(const OrderedJson& answer, std::ostream& out) {
    const OrderedJson clients = answer.value("clients", OrderedJson::array());
    const OrderedJson paused = answer.value("paused", OrderedJson::array());
    if (clients.empty() && paused.empty()) {
        out << "No client so far: a client appears with its first call.\n";
    }
    for (const OrderedJson& one : clients) {
        const std::string name = one.value("name", "");
        out << fmt::format("{:40} {} waiting\n", name.empty() ? "(no name)" : name,
                           one.value("waiting", std::uint64_t{0}));
    }
    for (const OrderedJson& one : paused) {
        const std::string reason = one.value("reason", "");
        out << fmt::format("order: the calls of {} are refused for another {}, by {}{}\n",
                           one.value("client", ""), left_text(one["seconds_left"]),
                           one.value("by", ""), reason.empty() ? "" : ": " + reason);
    }
}

void print_client_done(const OrderedJson& answer, std::ostream& out) {
    const OrderedJson seconds = answer.value("seconds", OrderedJson());
    const char* const resumed = answer.value("was_paused", true) ? "resumed" : "was not paused";
    out << (seconds.is_number() ? "paused for " + left_text(seconds) : resumed) << ": "
        << answer.value("client", "") << '\n';
}

}  // namespace

ClientCommand::ClientCommand(CLI::App& app)
    : command_(app.add_subcommand("client",
                                  "Pause and resume clients of the running gateway for a time")) {
    command_->require_subcommand(1);
    const auto add = [&](const char* name, const char* what) {
        CLI::App* one = command_->add_subcommand(name, what);
        add_admin_options(*one, options_.port);
        one->add_flag("--json", options_.json, "Print JSON");
        return one;
    };
    const auto add_order = [&](const char* name, const char* what) {
        CLI::App* one = add(name, what);
        one->add_option("client", options_.name,
                        "Its name, as in the metrics; none: calls without a name")
            ->required();
        one->add_option("--reason", options_.reason, "For the log and for whoever asks why");
        return one;
    };
    add_order("pause", "Refuse its calls, those that wait included")
        ->add_option("--for", options_.lasts, "For how long, 1s to 168h; default: 15m");
    add_order("resume", "Take back pause");
    add("list", "List the clients and the pauses in force");
    command_->footer(kOrdersFooter);
}

std::optional<int> ClientCommand::run(const Getenv& getenv, std::ostream& out,
                                      std::ostream& err) const {
    if (!command_->parsed()) {
        return std::nullopt;
    }
    const std::string verb = command_->get_subcommands().front()->get_name();
    const bool list = verb == "list";
    const AdminRequest request =
        list ? AdminRequest{.path = "/clients"}
             : admin_order("/clients/" + verb, {{"client", options_.name},
                                                {"for", options_.lasts},
                                                {"reason", options_.reason}});
    const auto answer = read_admin(options_.port, request, "weir client " + verb, getenv, err);
    if (!answer) {
        return answer.error();
    }
    if (options_.json) {
        out << answer->dump(2) << '\n';
    } else if (list) {
        print_clients(*answer, out);
    } else {
        print_client_done(*answer, out);
    }
    return 0;
}

}  // namespace weir::cli
