// The commands that work on an account's monitoring: alarms, dashboard, log queries, incidents.
#pragma once

#include "cli/alarms_command.h"
#include "cli/config_file.h"
#include "cli/dashboard_command.h"
#include "cli/incidents_command.h"

#include <iosfwd>
#include <optional>

namespace CLI {
class App;
}

namespace weir::cli {

class AwsCommands {
public:
    /// Adds them; `app` and this outlive the parsing.
    explicit AwsCommands(CLI::App& app);

    /// The exit code of the one that was asked for; nullopt: none was.
    std::optional<int> run(const Getenv& getenv, std::ostream& out, std::ostream& err) const;

private:
    CLI::App* alarms_;
    CLI::App* dashboard_;
    CLI::App* queries_;
    CLI::App* incidents_;
    AlarmsOptions alarms_options_;
    DashboardOptions dashboard_options_;
    LogQueriesOptions queries_options_;
    IncidentsOptions incidents_options_;
};

}  // namespace weir::cli
