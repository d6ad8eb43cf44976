// `weir dashboard` and `weir logs-queries`: what CloudWatch's console shows of weir and Bedrock.
#pragma once

#include "cli/config_file.h"

#include <iosfwd>
#include <string>
#include <vector>

namespace weir::cli {

struct DashboardOptions {
    std::string config;
    std::string put;     // its name; empty: printed
    std::string region;  // where it is put; empty: where weir's metrics are
    bool yes = false;
    bool dry_run = false;
};

struct LogQueriesOptions {
    std::string config;
    std::string name;  // empty: all
    std::string region;
    std::vector<std::string> log_groups;      // of weir's access log
    std::vector<std::string> bedrock_groups;  // of Bedrock's invocation log
    bool put = false;
    bool yes = false;
    bool dry_run = false;
};

/// 0 done; 1 failed or refused; 2 wrong use or configuration.
int run_dashboard(const DashboardOptions& options, const Getenv& getenv, std::ostream& out,
                  std::ostream& err);
int run_log_queries(const LogQueriesOptions& options, const Getenv& getenv, std::ostream& out,
                    std::ostream& err);

}  // namespace weir::cli
