// One place credentials can come from, and the chain of them in the AWS SDKs' order.
#pragma once

#include "aws/credentials.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace weir::aws {

/// Nothing is configured here: the chain goes on.
struct Absent {
    std::string why;
};
/// Something is configured here, but it does not work: the chain ends.
struct Broken {
    std::string why;
};
using Fetched = std::variant<Credentials, Absent, Broken>;

/// Used from one thread. fetch() may block for as long as its source's timeouts allow, and ends
/// about a second after `stop` turns true.
class Source {
public:
    virtual ~Source() = default;
    virtual std::string name() const = 0;
    virtual Fetched fetch(const std::atomic<bool>& stop) = 0;

    /// Files whose change calls for another fetch.
    virtual std::vector<std::string> files() const { return {}; }
};

/// The sources that `config` asks for, in the order they are to be tried.
std::vector<std::unique_ptr<Source>> make_chain(const CredentialsConfig& config,
                                                const Environment& environment);

std::unique_ptr<Source> make_configured_source(const CredentialsConfig& config);
std::unique_ptr<Source> make_configured_bearer_source(const CredentialsConfig& config,
                                                      const Environment& environment);
std::unique_ptr<Source> make_environment_source(const CredentialsConfig& config,
                                                const Environment& environment);
std::unique_ptr<Source> make_web_identity_source(const CredentialsConfig& config,
                                                 const Environment& environment);
std::unique_ptr<Source> make_profile_source(const CredentialsConfig& config,
                                            const Environment& environment);
std::unique_ptr<Source> make_container_source(const Environment& environment);
std::unique_ptr<Source> make_imds_source(const CredentialsConfig& config,
                                         const Environment& environment);

/// A variable that is set and not blank, trimmed: secrets often come with a line end.
std::optional<std::string> variable(const Environment& environment, const std::string& name);

/// Checks that keys are whole and fit for a header; gives them or says what is wrong.
Fetched checked(Credentials credentials);

/// What container and instance services and a credential_process answer. `token_name`: "Token" or
/// "SessionToken".
Fetched parse_json_credentials(const std::string& text, const char* token_name,
                               const std::string& source);

/// The keys of the environment, of whatever profile.
Fetched environment_keys(const Environment& environment);

/// The role of an account, taken on with the keys of `base`.
std::unique_ptr<Source> make_account_source(const AccountConfig& account, BaseKeys base,
                                            const Environment& environment);

}  // namespace weir::aws
