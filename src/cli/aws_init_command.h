// `weir aws init`: the first configuration, policy and alarms of an account, as files to review.
#pragma once

#include "cli/config_file.h"

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weir::cli {

struct AwsInitOptions {
    std::string config;
    std::string out = ".";
    std::vector<std::string> regions;
    std::vector<std::string> models;
    bool yes = false;
};

/// Reads only, but for its files. 0 done; 1 nothing found, not written, or not agreed; 2 wrong use.
int run_aws_init(const AwsInitOptions& options, const Getenv& getenv, std::ostream& out,
                 std::ostream& err);

class AwsInitCommand {
public:
    /// Adds `weir aws init`; `app` and this outlive the parsing.
    explicit AwsInitCommand(CLI::App& app);

    /// The exit code, if it was asked for.
    std::optional<int> run(const Getenv& getenv, std::ostream& out, std::ostream& err) const;

private:
    CLI::App* command_;
    AwsInitOptions options_;
};

}  // namespace weir::cli
