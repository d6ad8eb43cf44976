// A call of the running gateway's admin port, for the commands that ask it something.
#pragma once

#include "aws/http_call.h"
#include "cli/config_file.h"

#include <iosfwd>
#include <string>
#include <variant>

namespace weir::cli {

/// Where the gateway is: the configuration that it runs with, or its admin port's address.
struct AdminPort {
    std::string config;
    std::string url;
};

/// A call of `path`, with WEIR_ADMIN_KEY where it is set; past every proxy, which would ask another
/// machine. Or the exit code, after the reason has been written to `err`.
std::variant<aws::HttpCall, int> admin_call(const AdminPort& port, const std::string& path,
                                            const std::string& command, const Getenv& getenv,
                                            std::ostream& err);

/// The answer's body if its status is 200. Or the exit code, after the gateway's own message has
/// been written to `err`.
std::variant<std::string, int> ask_admin(const aws::HttpCall& call, const std::string& command,
                                         std::ostream& err);

}  // namespace weir::cli
