#include "aws/source.h"

#include "aws/json_read.h"
#include "aws/text.h"

#include <nlohmann/json.hpp>

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace weir::aws {
namespace {

/// Keys written into weir.yaml itself.
class ConfiguredSource : public Source {
public:
    explicit ConfiguredSource(CredentialsConfig config) : config_(std::move(config)) {}
    std::string name() const override { return "configuration"; }
    Fetched fetch(const std::atomic<bool>&) override {
        if (config_.access_key_id.empty() && config_.secret_access_key.empty()) {
            return Absent{"access_key_id is not set"};
        }
        Credentials keys;
        keys.access_key_id = trim(config_.access_key_id);
        keys.secret_access_key = trim(config_.secret_access_key);
        keys.session_token = trim(config_.session_token);
        keys.source = name();
        return checked(std::move(keys));
    }

private:
    CredentialsConfig config_;
};

/// A Bedrock API key, of weir.yaml or the environment.
class BearerSource : public Source {
public:
    BearerSource(CredentialsConfig config, Environment environment)
        : config_(std::move(config)), environment_(std::move(environment)) {}
    std::string name() const override { return "bearer key"; }
    Fetched fetch(const std::atomic<bool>&) override {
        Credentials key;
        key.source = "configuration (bearer key)";
        key.bearer_token = trim(config_.bearer_token);
        if (key.bearer_token.empty()) {
            key.source = "environment (AWS_BEARER_TOKEN_BEDROCK)";
            key.bearer_token = variable(environment_, "AWS_BEARER_TOKEN_BEDROCK").value_or("");
        }
        if (key.bearer_token.empty()) {
            return Absent{"neither credentials.bearer_token nor AWS_BEARER_TOKEN_BEDROCK is set"};
        }
        return checked(std::move(key));
    }

private:
    CredentialsConfig config_;
    Environment environment_;
};

class EnvironmentSource : public Source {
public:
    EnvironmentSource(const CredentialsConfig& config, Environment environment)
        : profile_(config.profile), environment_(std::move(environment)) {}
    std::string name() const override { return "environment"; }
    Fetched fetch(const std::atomic<bool>&) override {
        if (!profile_.empty()) {
            return Absent{"passed over: credentials.profile is set"};
        }
        if (auto bearer = variable(environment_, "AWS_BEARER_TOKEN_BEDROCK")) {
            Credentials found;
            found.bearer_token = *bearer;
            found.source = "environment (AWS_BEARER_TOKEN_BEDROCK)";
            return checked(std::move(found));
        }
        return environment_keys(environment_);
    }

private:
    std::string profile_;
    Environment environment_;
};

}  // namespace

Environment Environment::of_process() {
    Environment made;
    made.variable = [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
    made.home = made.variable("HOME").value_or("");
    if (made.home.empty()) {
        std::array<char, 4096> buffer{};
        passwd entry{};
        passwd* found = nullptr;
        if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
            found != nullptr) {
            made.home = found->pw_dir;
        }
    }
    return made;
}

std::optional<std::string> variable(const Environment& environment, const std::string& name) {
    if (!environment.variable) {
        return std::nullopt;
    }
    std::string value(trim(environment.variable(name).value_or("")));
    return value.empty() ? std::nullopt : std::optional<std::string>(value);
}

Fetched environment_keys(const Environment& environment) {
    auto id = variable(environment, "AWS_ACCESS_KEY_ID");
    auto secret = variable(environment, "AWS_SECRET_ACCESS_KEY");
    if (!id && !secret) {
        return Absent{"AWS_ACCESS_KEY_ID is not set"};
    }
    if (!id || !secret) {
        return Broken{id ? "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not"
                         : "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not"};
    }
    Credentials found;
    found.source = "environment";
    found.access_key_id = *id;
    found.secret_access_key = *secret;
    found.session_token = variable(environment, "AWS_SESSION_TOKEN").value_or("");
    if (auto expiry = variable(environment, "AWS_CREDENTIAL_EXPIRATION")) {
        found.expiry = parse_timestamp(*expiry);
        if (!found.expiry) {
            return Broken{
                "AWS_CREDENTIAL_EXPIRATION is not a time such as "
                "2026-01-02T03:04:05Z"};
        }
    }
    return checked(std::move(found));
}

Fetched checked(Credentials credentials) {
    if (!credentials.bearer_token.empty()) {
        if (!is_token_text(credentials.bearer_token)) {
            return Broken{"the bearer key holds a blank or control character"};
        }
        return credentials;
    }
    if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
        return Broken{credentials.access_key_id.empty() ? "the access key id is missing"
                                                        : "the secret access key is missing"};
    }
    if (!is_token_text(credentials.access_key_id) ||
        !is_token_text(credentials.secret_access_key) ||
        (!credentials.session_token.empty() && !is_token_text(credentials.session_token))) {
        return Broken{"a key or token holds a blank or control character"};
    }
    return credentials;
}

Fetched parse_json_credentials(const std::string& text, const char* token_name,
                               const std::string& source) {
    auto json = parse_json(text);
    if (!json.is_object()) {
        return Broken{"the answer is not a JSON object"};
    }
    std::string code = string_of(json, "Code");
    if (!code.empty() && code != "Success") {
        return Broken{"it said " + excerpt(code) + " " + excerpt(string_of(json, "Message"))};
    }
    Credentials found;
    found.access_key_id = string_of(json, "AccessKeyId");
    found.secret_access_key = string_of(json, "SecretAccessKey");
    found.session_token = string_of(json, token_name);
    found.source = source;
    if (std::string expiry = string_of(json, "Expiration"); !expiry.empty()) {
        found.expiry = parse_timestamp(expiry);
        if (!found.expiry) {
            return Broken{"its Expiration is not a time: " + excerpt(expiry)};
        }
    }
    return checked(std::move(found));
}

std::unique_ptr<Source> make_configured_source(const CredentialsConfig& config) {
    return std::make_unique<ConfiguredSource>(config);
}

std::unique_ptr<Source> make_configured_bearer_source(const CredentialsConfig& config,
                                                      const Environment& environment) {
    return std::make_unique<BearerSource>(config, environment);
}

std::unique_ptr<Source> make_environment_source(const CredentialsConfig& config,
                                                const Environment& environment) {
    return std::make_unique<EnvironmentSource>(config, environment);
}

std::vector<std::unique_ptr<Source>> make_chain(const CredentialsConfig& config,
                                                const Environment& environment) {
    std::vector<std::unique_ptr<Source>> chain;
    switch (config.source) {
        case CredentialsSource::client_bearer:
            break;  // the gateway passes the caller's own key on
        case CredentialsSource::static_keys:
            chain.push_back(make_configured_source(config));
            break;
        case CredentialsSource::bearer:
            chain.push_back(make_configured_bearer_source(config, environment));
            break;
        case CredentialsSource::default_chain:
            if (!config.access_key_id.empty()) {
                chain.push_back(make_configured_source(config));
            }
            chain.push_back(make_environment_source(config, environment));
            chain.push_back(make_web_identity_source(config, environment));
            chain.push_back(make_profile_source(config, environment));
            chain.push_back(make_container_source(environment));
            chain.push_back(make_imds_source(config, environment));
            break;
    }
    return chain;
}

}  // namespace weir::aws
