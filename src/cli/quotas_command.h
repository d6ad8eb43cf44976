// `weir quotas`: what the account may use, what it uses, and asking AWS for more.
#pragma once

#include "cli/config_file.h"

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

struct QuotasOptions {
    std::string config;
    std::string model;
    std::string region;
    std::string account;  // of `accounts`, or default; empty: list shows all, the others default
    int days = 14;
    bool json = false;
    // analyze
    std::string log;
    bool offline = false;           // no calls to AWS
    std::vector<std::string> grow;  // CLIENT=FACTOR
    // request
    std::optional<std::uint64_t> tokens_per_minute;
    std::optional<std::uint64_t> requests_per_minute;
    bool yes = false;
    bool dry_run = false;
    std::string wait = "30s";
};

/// Exit codes: 0 done, 1 AWS could not be asked or said no, 2 wrong use.
int run_quotas(const QuotasOptions& options, const Getenv& getenv, std::ostream& out,
               std::ostream& err);
int run_quotas_analyze(const QuotasOptions& options, const Getenv& getenv, std::ostream& out,
                       std::ostream& err);
int run_quotas_case(const QuotasOptions& options, const Getenv& getenv, std::ostream& out,
                    std::ostream& err);
/// Asks on the terminal, `in`, unless --yes; 1 where the answer is no.
int run_quotas_request(const QuotasOptions& options, const Getenv& getenv, std::istream& in,
                       std::ostream& out, std::ostream& err);

}  // namespace weir::cli
