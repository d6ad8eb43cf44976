// What the commands that ask AWS share: the configuration's Regions, keys and endpoints, and a
// question before anything is changed.
#pragma once

#include "aws/api.h"
#include "cli/config_file.h"

#include <weir/config.h>

#include <atomic>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::cli {

/// Keys are looked for once per set of credentials; a call without any fails with "no credentials".
/// Used from one thread.
class AwsAccess {
public:
    explicit AwsAccess(Config config);  // as load_config gives it
    ~AwsAccess();

    const Config& config() const { return config_; }
    /// Those declared; else the one of unsigned calls; may be empty.
    const std::vector<std::string>& regions() const { return regions_; }
    /// With the Region's own credentials where it has some, else with the file's; "": the file's.
    /// With those of an account of `accounts` if one is named.
    const aws::ApiClient& api(const std::string& region = {}, const std::string& account = {});
    /// Of the control plane; empty: the service's own.
    std::string control_endpoint(const std::string& region) const;
    /// The error for people; where the file's credentials were not found, with what each source
    /// said.
    std::string explain(const aws::ApiError& error) const;
    const std::atomic<bool>& stop() const { return stop_; }

private:
    struct Keys;
    Keys& keys_of(const std::string& name, const CredentialsConfig& credentials);
    Keys& keys_of(const std::string& name, const AccountConfig& account);

    Config config_;
    std::vector<std::string> regions_;
    std::map<std::string, std::unique_ptr<Keys>> keys_;                      // "": the file's own
    std::map<std::pair<std::string, std::string>, aws::ApiClient> clients_;  // account, Region
    std::atomic<bool> stop_{false};
};

/// Reads the configuration; null: it has errors, which have been written to `err`.
std::unique_ptr<AwsAccess> open_access(const std::string& path, const Getenv& getenv,
                                       std::ostream& err);

/// Turns true at SIGINT or SIGTERM, so that a command may still put back what it has changed.
const std::atomic<bool>& stop_at_signal();

/// Asks, and reads a line; "y" and "yes" are consent.
bool consents(std::string_view question, std::istream& in, std::ostream& out);
/// Asks on a terminal, unless `yes`: nullopt: go on; else the exit code, and why has been said.
std::optional<int> not_agreed(std::string_view command, std::string_view question, bool yes,
                              std::ostream& out, std::ostream& err);

/// "2026-11-29 12:00Z", of Unix seconds.
std::string minute_text(std::int64_t at);

}  // namespace weir::cli
