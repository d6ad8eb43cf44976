// The command line of `weir quotas`, `weir iam-policy` and `weir routes`.
#pragma once

#include "cli/config_file.h"
#include "cli/iam_policy.h"
#include "cli/quotas_command.h"
#include "cli/routes_audit.h"

#include <optional>

namespace CLI {
class App;
}

namespace weir::cli {

class AccountCommands {
public:
    explicit AccountCommands(CLI::App& app);
    /// The exit code of the one that was asked for; nullopt: it is none of these.
    std::optional<int> run(const Getenv& getenv);

private:
    QuotasOptions quotas_;
    CLI::App* list_;
    CLI::App* analyze_;
    CLI::App* case_;
    CLI::App* request_;
    IamPolicyOptions policy_;
    CLI::App* policy_command_;
    RoutesOptions routes_;
    CLI::App* routes_command_;
};

}  // namespace weir::cli
