// `weir target`: close, drain or open targets of the running gateway for a time.
#pragma once

#include "cli/gateway_admin.h"

#include <iosfwd>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace weir::cli {

struct TargetOptions {
    AdminAddress port;
    std::string place;  // REGION, REGION/MODEL or ACCOUNT/REGION/MODEL
    std::string model;
    std::string account;
    std::string lasts;
    std::string reason;
    bool json = false;
};

/// What `place` names: as x-weir-target does, or a Region alone.
struct TargetName {
    std::string account, region, model;
};
TargetName target_name(const std::string& place);

class TargetCommand {
public:
    /// Adds it; `app` and this outlive the parsing.
    explicit TargetCommand(CLI::App& app);

    /// The exit code, if it was asked for: 0 done; 1 refused, or no answer; 2 wrong use.
    std::optional<int> run(const Getenv& getenv, std::ostream& out, std::ostream& err) const;

private:
    CLI::App* command_;
    TargetOptions options_;
};

}  // namespace weir::cli
