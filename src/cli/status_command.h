// `weir status`: what the running gateway does and how it is, for people and for scripts.
#pragma once

#include "cli/gateway_admin.h"
#include "cli/gateway_view.h"

#include <iosfwd>
#include <optional>
#include <string>

namespace weir::cli {

struct StatusOptions {
    AdminAddress admin;
    bool json = false;
    bool watch = false;
    std::string every = "1s";
};

/// What the gateway said, or why it said nothing.
struct GatewayReading {
    std::optional<GatewayView> view;
    std::string status;  // JSON of GET /status; empty: none
    std::string error;   // empty: it answered

    Health health() const { return view ? view->health : Health::down; }
};
GatewayReading read_gateway(const std::string& url, const Getenv& getenv,
                            const std::atomic<bool>& stop = kNeverStop);

/// As text: the verdict with its reasons, then tables of targets, clients and waiting calls.
std::string status_text(const GatewayReading& reading);
/// {"health", "exit_code", "reasons", "status"}, on one line.
std::string status_json_text(const GatewayReading& reading);

/// 0 healthy, 1 degraded, 2 down, not reachable, or wrong use. With `watch` it goes on until the
/// reader is gone or a signal ends it, and has the code of the last answer.
int run_status(const StatusOptions& options, const Getenv& getenv, std::ostream& out,
               std::ostream& err);

}  // namespace weir::cli
