// The admin port of the running gateway, for the commands that show what it does or order it.
#pragma once

#include "cli/config_file.h"

#include <weir/result.h>

#include <nlohmann/json.hpp>

#include <atomic>
#include <expected>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <utility>

namespace CLI {
class App;
}

namespace weir::cli {

/// What `GET /readyz` answers: calls are taken, or none any more.
inline constexpr long kReady = 200;
inline constexpr long kDraining = 503;

struct AdminAddress {
    std::string config;  // weir.yaml that the gateway runs with
    std::string url;     // of its admin port, instead of what is configured
};

/// Adds --config and --url.
void add_admin_options(CLI::App& command, AdminAddress& address);

/// The admin port's URL, without a slash at its end. An error is wrong use: there is no such port.
Result<std::string> admin_url(const AdminAddress& options, const Getenv& getenv);

struct AdminRequest {
    std::string path;
    std::string method = "GET";
    std::string body = {};  // JSON; empty: none
};

/// An order with those of its members that are not empty.
AdminRequest admin_order(std::string path,
                         std::initializer_list<std::pair<const char*, std::string>> members);
inline constexpr const char* kOrdersFooter =
    "Calls under way are not touched. Orders are gone when the gateway restarts; each of "
    "several instances\nhas its own. WEIR_ADMIN_KEY is sent if it is set.\n"
    "Exit code: 0 done; 1 refused, or no answer; 2 wrong usage.";

struct AdminAnswer {
    long status = 0;
    std::string body;

    /// What an error says in its body; else its status.
    std::string message() const;
};

inline const std::atomic<bool> kNeverStop{false};

/// WEIR_ADMIN_KEY is sent where it is set. An error: nobody answers, or `stop` became true.
Result<AdminAnswer> ask_admin(const std::string& url, const AdminRequest& request,
                              const Getenv& getenv, const std::atomic<bool>& stop = kNeverStop);

/// The JSON object of an answer with status 200. Or the exit code, after the reason has been
/// written to `err`.
std::expected<nlohmann::ordered_json, int> read_admin(const AdminAddress& address,
                                                      const AdminRequest& request,
                                                      const std::string& command,
                                                      const Getenv& getenv, std::ostream& err);

/// "15 min" of a number of seconds in an answer.
std::string left_text(const nlohmann::ordered_json& seconds);

}  // namespace weir::cli
