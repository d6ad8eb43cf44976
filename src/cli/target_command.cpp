#include "cli/target_command.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ostream>

namespace weir::cli {

namespace {

using OrderedJson = nlohmann::ordered_json;

std::string text_of(const OrderedJson& value, const char* otherwise) {
    return value.is_string() ? value.get<std::string>() : otherwise;
}

std::string held_text(const OrderedJson& held) {
    if (!held.is_object()) {
        return {};
    }
    const std::string reason = held.value("reason", "");
    return fmt::format("held {} for {} by {}{}", held.value("state", ""),
                       left_text(held["seconds_left"]), held.value("by", ""),
                       reason.empty() ? "" : ": " + reason);
}

void print_targets(const OrderedJson& answer, std::ostream& out) {
    const OrderedJson targets = answer.value("targets", OrderedJson::array());
    if (targets.empty()) {
        out << "No target so far: a target appears with its first call.\n";
    }
    for (const OrderedJson& one : targets) {
        out << fmt::format(
            "{:14} {:60} breaker {:9} {}\n", one.value("region", ""),
            (one.value("account", "default") == "default" ? "" : one.value("account", "") + "/") +
                one.value("model", ""),
            one.value("breaker", ""), held_text(one.value("held", OrderedJson())));
    }
    for (const OrderedJson& one : answer.value("overrides", OrderedJson::array())) {
        out << fmt::format("order: {} {} {} for another {}, by {}\n", one.value("state", ""),
                           text_of(one["region"], "every Region"),
                           text_of(one["model"], "every model"), left_text(one["seconds_left"]),
                           one.value("by", ""));
    }
    for (const OrderedJson& one : answer.value("shedding", OrderedJson::array())) {
        out << fmt::format(
            "order: calls of the class {} and lower are refused for another {}, by {}\n",
            one.value("priority", ""), left_text(one["seconds_left"]), one.value("by", ""));
    }
}

void print_target_done(const OrderedJson& answer, std::ostream& out) {
    const std::string order = answer.value("order", "");
    const OrderedJson seconds = answer.value("seconds", OrderedJson());
    out << (order == "close"   ? "closed"
            : order == "drain" ? "drained"
                               : "open")
        << (seconds.is_number() ? " for " + left_text(seconds) : "") << ":";
    const OrderedJson targets = answer.value("targets", OrderedJson::array());
    if (targets.empty()) {
        out << " no target so far; those that come are meant too";
    }
    for (const OrderedJson& one : targets) {
        const std::string account = one.value("account", "default");
        out << ' ' << (account == "default" ? "" : account + "/") << one.value("region", "") << '/'
            << one.value("model", "");
    }
    out << '\n';
    const OrderedJson afterwards = answer.value("afterwards", OrderedJson());
    if (afterwards.is_object()) {
        out << fmt::format(
            "A wider order holds them {} for another {}: it applies again afterwards.\n",
            afterwards.value("held", ""), left_text(afterwards["seconds"]));
    }
}

}  // namespace

TargetName target_name(const std::string& place) {
    TargetName name;
    const std::size_t slash = place.find('/');
    name.region = place.substr(0, slash);
    if (slash == std::string::npos) {
        return name;
    }
    name.model = place.substr(slash + 1);
    // `weir status` names the endpoint too, but an order is for all of a Region.
    const auto drop_endpoint = [&name] {
        constexpr std::string_view kMantle = "mantle/";
        if (name.model.starts_with(kMantle)) {
            name.model.erase(0, kMantle.size());
        }
    };
    drop_endpoint();
    // A model id has no slash, unless it is an ARN.
    const std::size_t second = name.model.find('/');
    if (second != std::string::npos && !name.model.starts_with("arn:")) {
        name.account = std::move(name.region);
        name.region = name.model.substr(0, second);
        name.model.erase(0, second + 1);
        drop_endpoint();
    }
    return name;
}

TargetCommand::TargetCommand(CLI::App& app)
    : command_(app.add_subcommand(
          "target", "Close, drain or open targets of the running gateway for a time")) {
    command_->require_subcommand(1);
    const auto add = [&](const char* name, const char* what) {
        CLI::App* one = command_->add_subcommand(name, what);
        add_admin_options(*one, options_.port);
        one->add_flag("--json", options_.json, "Print JSON");
        return one;
    };
    const auto add_order = [&](const char* name, const char* what, const char* lasts) {
        CLI::App* one = add(name, what);
        one->add_option("target", options_.place,
                        "REGION, REGION/MODEL or ACCOUNT/REGION/MODEL, as in x-weir-target")
            ->required();
        one->add_option("model", options_.model, "MODEL; default: every model there");
        one->add_option("--account", options_.account, "In this account alone");
        one->add_option("--for", options_.lasts, lasts);
        one->add_option("--reason", options_.reason, "For the log and for whoever asks why");
    };
    const char* const at_most = "For how long, 1s to 168h; default: 15m";
    add_order("close", "Send nothing there; calls that have no other target are refused", at_most);
    add_order("drain", "Send calls to their other targets; those that have none still go there",
              at_most);
    add_order("open", "Take back close and drain",
              "Also keep it in use for so long, whatever its breaker finds");
    add("list", "List the targets and the orders in force");
    command_->footer(kOrdersFooter);
}

std::optional<int> TargetCommand::run(const Getenv& getenv, std::ostream& out,
                                      std::ostream& err) const {
    if (!command_->parsed()) {
        return std::nullopt;
    }
    const std::string verb = command_->get_subcommands().front()->get_name();
    const std::string command = "weir target " + verb;
    const bool list = verb == "list";
    AdminRequest request{.path = "/targets"};
    if (!list) {
        TargetName name = target_name(options_.place);
        for (const auto& [given, part, option] :
             {std::tuple(&options_.model, &name.model, "MODEL"),
              std::tuple(&options_.account, &name.account, "--account")}) {
            if (!given->empty() && !part->empty()) {
                err << command << ": " << option << " is given twice\n";
                return 2;
            }
            *part += *given;
        }
        request = admin_order("/targets/" + verb, {{"region", name.region},
                                                   {"model", name.model},
                                                   {"account", name.account},
                                                   {"for", options_.lasts},
                                                   {"reason", options_.reason}});
    }
    const auto answer = read_admin(options_.port, request, command, getenv, err);
    if (!answer) {
        return answer.error();
    }
    const OrderedJson& body = *answer;
    if (options_.json) {
        out << body.dump(2) << '\n';
    } else if (list) {
        print_targets(body, out);
    } else {
        print_target_done(body, out);
    }
    return 0;
}

}  // namespace weir::cli
