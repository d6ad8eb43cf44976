// `weir run -- COMMAND`: a gateway for the life of one command.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace weir::cli {

struct RunOptions {
    std::string config;                // weir.yaml; empty: built-in settings
    std::vector<std::string> clients;  // of `weir env`; empty: all
    std::string log;                   // file for weir's own log; empty: standard error
    std::string access_log;            // file; empty: none is written
    bool quiet = false;                // no line about what weir did
    std::vector<std::string> command;  // and its arguments
};

/// The command's environment, as NAME=VALUE: `inherited` with `variables` in place of its own. A
/// proxy for http would get the calls to this machine as well, so it is told of 127.0.0.1.
std::vector<std::string> command_environment(const char* const* inherited,
                                             std::map<std::string, std::string> variables);

/// The command's exit code (cli/child.h); without running it 2 for wrong use or configuration, 1
/// when the gateway cannot start.
int run_run(const RunOptions& options);

}  // namespace weir::cli
