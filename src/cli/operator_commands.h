// The operator's terminal: what the running gateway does, and why.
#pragma once

#include "cli/config_file.h"
#include "cli/costs_command.h"
#include "cli/explain_command.h"
#include "cli/status_command.h"
#include "cli/top_command.h"

#include <iosfwd>
#include <optional>

namespace CLI {
class App;
}

namespace weir::cli {

class OperatorCommands {
public:
    /// Adds them; `app` and this outlive the parsing.
    explicit OperatorCommands(CLI::App& app);

    /// The exit code of the one that was asked for; nullopt: none was.
    std::optional<int> run(const Getenv& getenv, std::ostream& out, std::ostream& err) const;

private:
    void add_costs();

    CLI::App* status_;
    CLI::App* top_;
    CLI::App* explain_;
    CLI::App* costs_;
    StatusOptions status_options_;
    TopOptions top_options_;
    ExplainOptions explain_options_;
    CostsOptions costs_options_;
};

}  // namespace weir::cli
