// Where the keys come from: the AWS SDKs' chain, refreshed ahead of expiry, off the request path.
#pragma once

#include <weir/config.h>
#include <weir/result.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::aws {

using WallTime = std::chrono::system_clock::time_point;

/// Immutable; shared by whoever signs with it.
struct Credentials {
    std::string access_key_id;
    std::string secret_access_key;
    std::string session_token;  // empty: long-lived keys
    std::string bearer_token;   // set instead of keys: sent as Authorization: Bearer
    std::optional<WallTime> expiry;
    std::string source;  // "environment", "profile dev", "IMDS role x", ...
};

/// What one source gave, or why it gave nothing; one start-up line is made of these.
struct SourceReport {
    std::string source;
    std::string outcome;  // "used", "AWS_ACCESS_KEY_ID is not set", "no such file: ..."
};

/// Everything the chain looks at, so that tests can hand in a world of their own.
struct Environment {
    std::function<std::optional<std::string>(const std::string&)> variable;  // getenv
    std::string home;                     // for ~/.aws/credentials and ~/.aws/config
    AwsConfig aws = {};                   // where STS, SSO and sign-in are
    std::string region = {};              // the last resort for whose STS to ask
    std::string container_endpoint = {};  // set by tests alone; empty: the link-local one
    static Environment of_process();
};

/// Keys that somebody else keeps fresh; null: none to be had.
using BaseKeys = std::function<std::shared_ptr<const Credentials>()>;

/// How patient the provider's thread is; tests make it hurry.
struct CredentialsTiming {
    // Ahead of the expiry: keys are fetched anew from `advisory` on, with jitter; that this fails
    // is worth a warning from `mandatory` on.
    std::chrono::milliseconds advisory{std::chrono::minutes(15)};
    std::chrono::milliseconds mandatory{std::chrono::minutes(10)};
    std::chrono::milliseconds retry_first{std::chrono::seconds(5)};  // doubles up to retry_most
    std::chrono::milliseconds retry_most{std::chrono::seconds(60)};
    std::chrono::milliseconds file_poll{std::chrono::seconds(5)};
    std::chrono::milliseconds start_wait{std::chrono::seconds(10)};
};

/// One set of credentials, kept fresh by a thread of its own while it has an expiry. get() never
/// blocks and never throws; all members are thread-safe.
class CredentialsProvider {
public:
    CredentialsProvider(const CredentialsConfig& config, const Environment& environment,
                        LogSink log, CredentialsTiming timing = {});
    /// Keys of `account`'s role, taken on with those of `base`.
    CredentialsProvider(const AccountConfig& account, BaseKeys base, const Environment& environment,
                        LogSink log, CredentialsTiming timing = {});
    ~CredentialsProvider();

    /// Tries the sources in order, once, now, and logs one line that names each and its outcome.
    /// Blocks at most timing.start_wait (IMDS: 1 s connect, 2 tries); a slower source goes on in
    /// the background. A failed chain is tried again there, 5 s apart doubling to 60 s.
    ///
    /// A source that is configured but fails ends the chain: falling through to the next would
    /// call Bedrock as somebody else.
    void start();

    /// The freshest; null if no source has given any. Expired ones are given too if nothing newer
    /// came: the service is the judge of clocks.
    std::shared_ptr<const Credentials> get() const;

    /// The service said ExpiredToken or refused a signature: fetch anew in the background, unless
    /// `stale` is no longer what get() gives. `done` is called once, from the provider's thread,
    /// when that has ended.
    void refresh(std::shared_ptr<const Credentials> stale, std::function<void()> done);

    std::vector<SourceReport> report() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::aws
