// The IAM policy that a configuration needs, and no more.
#pragma once

#include "cli/config_file.h"

#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

namespace weir::cli {

struct IamPolicyOptions {
    std::string config;
    std::string account;     // of `accounts`; empty: that of `credentials`
    std::string account_id;  // empty: any
    bool explain = false;
    bool all_models = false;        // also models without a route
    bool operations = false;        // for `weir quotas` and the like instead of the gateway
    std::vector<std::string> also;  // guardrails, async, list
};

struct IamStatement {
    std::string sid;
    std::vector<std::string> actions;
    std::vector<std::string> resources;
    /// Key and allowed values, all to be equal.
    std::vector<std::pair<std::string, std::vector<std::string>>> equals;
    std::string why;
};

std::vector<IamStatement> iam_statements(const Config& config,
                                         const std::vector<std::string>& regions,
                                         const IamPolicyOptions& options);

/// Exit codes: 0 done, 2 wrong use.
int run_iam_policy(const IamPolicyOptions& options, const Getenv& getenv, std::ostream& out,
                   std::ostream& err);

}  // namespace weir::cli
