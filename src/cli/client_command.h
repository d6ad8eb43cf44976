// `weir client`: pause and resume clients of the running gateway.
#pragma once

#include "cli/gateway_admin.h"

#include <iosfwd>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace weir::cli {

struct ClientOptions {
    AdminAddress port;
    std::string name;
    std::string lasts;
    std::string reason;
    bool json = false;
};

class ClientCommand {
public:
    /// Adds it; `app` and this outlive the parsing.
    explicit ClientCommand(CLI::App& app);

    /// The exit code, if it was asked for: 0 done; 1 refused, or no answer; 2 wrong use.
    std::optional<int> run(const Getenv& getenv, std::ostream& out, std::ostream& err) const;

private:
    CLI::App* command_;
    ClientOptions options_;
};

}  // namespace weir::cli
