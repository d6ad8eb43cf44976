#include "cli/status_command.h"

#include "cli/text_table.h"
#include "observe/figures.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <ctime>
#include <ostream>
#include <thread>

namespace weir::cli {
namespace {

using nlohmann::ordered_json;

using observe::figure;

std::string limit_text(const LimitView* limit) {
    if (limit == nullptr) {
        return "-";
    }
    return limit->limit ? fmt::format("{} of {}{}", figure(limit->used), figure(*limit->limit),
                                      limit->learned ? " (learned)" : "")
                        : figure(limit->used) + " of ?";
}

const LimitView* first_of(const TargetView& target, std::string_view kind,
                          std::string_view otherwise) {
    const LimitView* limit = target.limit(kind);
    return limit != nullptr ? limit : target.limit(otherwise);
}

std::string targets_table(const GatewayView& view) {
    std::vector<std::vector<std::string>> rows{
        {"TARGET", "STATE", "IN FLIGHT", "REQUESTS/MIN", "TOKENS/MIN"}};
    for (const TargetView& target : view.targets) {
        rows.push_back({target.name(), target.state, figure(target.in_flight),
                        limit_text(target.limit("requests")),
                        limit_text(first_of(target, "tokens", "input_tokens"))});
    }
    return rows.size() > 1 ? text_table(rows, rows.front().size()) : "No target is in use yet.\n";
}

std::string clients_table(const GatewayView& view) {
    std::vector<std::vector<std::string>> rows{{"CLIENT", "WAITING", "LIMITS", "BUDGET"}};
    for (const ClientView& client : view.clients) {
        std::string limits;
        for (const LimitView& limit : client.limits) {
            limits += (limits.empty() ? "" : ", ") + limit.kind + " " + limit_text(&limit);
        }
        rows.push_back({client.name.empty() ? "(none)" : client.name, figure(client.waiting),
                        limits.empty() ? "-" : limits,
                        client.budget.empty() ? "-" : client.budget});
    }
    return rows.size() > 1 ? text_table(rows, rows.front().size()) : "";
}

std::atomic<bool> leaving{false};

void on_signal(int /*number*/) {
    leaving = true;
}

std::string now_text() {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

void print(const GatewayReading& reading, const StatusOptions& options, std::ostream& out) {
    if (options.json) {
        out << status_json_text(reading) << '\n';
    } else {
        out << (options.watch ? now_text() + "  " : "") << status_text(reading)
            << (options.watch ? "\n" : "");
    }
    out.flush();
}

/// In steps, so that a signal is heard.
void pause(Duration length) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + length;
    while (!leaving && Clock::now() < end) {
        std::this_thread::sleep_for(
            std::min<Clock::duration>(std::chrono::milliseconds(50), end - Clock::now()));
    }
}

}  // namespace

GatewayReading read_gateway(const std::string& url, const Getenv& getenv,
                            const std::atomic<bool>& stop) {
    GatewayReading reading;
    const auto ready = ask_admin(url, {.path = "/readyz"}, getenv, stop);
    if (!ready) {
        reading.error = ready.error().message;
        return reading;
    }
    auto status = ask_admin(url, {.path = "/status"}, getenv, stop);
    if (!status) {
        reading.error = status.error().message;
        return reading;
    }
    const bool weir = ready->status == kReady || ready->status == kDraining;
    if (status->status != kReady || !weir) {
        reading.error = url + "/status: " + status->message();
        return reading;
    }
    reading.view = view_of(status->body, ready->status == kDraining);
    if (reading.view) {
        reading.status = std::move(status->body);
    } else {
        reading.error = url + "/status: this is no status of weir";
    }
    return reading;
}

std::string status_text(const GatewayReading& reading) {
    if (!reading.view) {
        return "down: " + reading.error + "\n";
    }
    const GatewayView& view = *reading.view;
    std::string text = std::string(to_string(view.health)) + ": weir " + view.version + ", " +
                       figure(view.in_flight) + " calls in flight, " + figure(view.waiting_calls) +
                       " waiting (" + figure(view.waiting_bytes) + " bytes)";
    if (!view.store.mode.empty()) {
        text += ", shared quota " + view.store.mode + " (" + figure(view.store.instances) +
                " instances)";
    }
    text += "\n";
    for (const Reason& reason : view.reasons) {
        text += "  " + to_string(reason) + "\n";
    }
    if (!view.needs_restart.empty()) {
        text += fmt::format("  a restart is needed for {}\n", fmt::join(view.needs_restart, ", "));
    }
    text += "\n" + targets_table(view);
    if (const std::string clients = clients_table(view); !clients.empty()) {
        text += "\n" + clients;
    }
    if (!view.waiting.empty()) {
        std::vector<std::vector<std::string>> rows{{"WAITING FOR", "PRIORITY", "CALLS"}};
        for (const WaitingView& one : view.waiting) {
            rows.push_back({one.model, one.priority, figure(one.calls)});
        }
        text += "\n" + text_table(rows, rows.front().size());
    }
    return text;
}

std::string status_json_text(const GatewayReading& reading) {
    ordered_json out;
    out["health"] = to_string(reading.health());
    out["exit_code"] = static_cast<int>(reading.health());
    out["reasons"] = ordered_json::array();
    if (reading.view) {
        for (const Reason& reason : reading.view->reasons) {
            out["reasons"].push_back(to_string(reason));
        }
    } else {
        out["reasons"].push_back(reading.error);
    }
    out["status"] =
        reading.view ? ordered_json::parse(reading.status, nullptr, false) : ordered_json();
    return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

int run_status(const StatusOptions& options, const Getenv& getenv, std::ostream& out,
               std::ostream& err) {
    const auto every = parse_duration(options.every);
    if (!every || *every < std::chrono::milliseconds(100)) {
        err << "weir status: --every: "
            << (every ? "must be 100ms or longer" : every.error().message) << '\n';
        return 2;
    }
    const auto url = admin_url(options.admin, getenv);
    if (!url) {
        err << "weir status: " << url.error().message << '\n';
        return 2;
    }
    if (options.watch) {
        for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
            std::signal(number, on_signal);
        }
        std::signal(SIGPIPE, SIG_IGN);
    }
    Health health = Health::down;
    for (;;) {
        const GatewayReading reading = read_gateway(*url, getenv, leaving);
        if (leaving && !reading.view) {
            return static_cast<int>(health);  // the request was broken off
        }
        health = reading.health();
        if (!reading.view && !options.json && !options.watch) {
            err << "weir status: " << reading.error << '\n';
        } else {
            print(reading, options, out);
        }
        if (options.watch) {
            pause(*every);
        }
        if (!options.watch || leaving || !out) {
            return static_cast<int>(health);
        }
    }
}

}  // namespace weir::cli
