// Questions to the admin port of the running gateway, for the commands that show what it does.
#pragma once

#include "cli/config_file.h"

#include <weir/result.h>

#include <chrono>
#include <string>
#include <string_view>

namespace weir::cli {

struct AdminAddress {
    std::string config;  // weir.yaml that the gateway runs with
    std::string url;     // of its admin port, instead of what is configured
};

/// The admin port's URL, without a slash at its end. An error is wrong use: there is no such port.
Result<std::string> admin_url(const AdminAddress& options, const Getenv& getenv);

struct AdminAnswer {
    long status = 0;
    std::string body;

    /// What an error says in its body; else its status.
    std::string message() const;
};

/// GET `path`. WEIR_ADMIN_KEY is sent where it is set. An error: nobody answers.
Result<AdminAnswer> read_admin(const std::string& url, std::string_view path, const Getenv& getenv,
                               std::chrono::milliseconds timeout = std::chrono::seconds(5));

}  // namespace weir::cli
