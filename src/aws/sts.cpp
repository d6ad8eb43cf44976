#include "aws/sts.h"

#include "aws/api.h"
#include "aws/text.h"

#include <pugixml.hpp>

#include <chrono>
#include <utility>

namespace weir::aws {
namespace {

// A role is waited for by whoever starts weir; the provider's thread tries again by itself.
constexpr ApiTiming kTiming{.connect = std::chrono::milliseconds(3000),
                            .answer = std::chrono::milliseconds(9000),
                            .attempts = 2,
                            .delay = std::chrono::milliseconds(500)};

std::string session_name(const Role& role, const Environment& environment) {
    if (!role.session_name.empty()) {
        return role.session_name;
    }
    if (auto named = variable(environment, "AWS_ROLE_SESSION_NAME")) {
        return *named;
    }
    return "weir-" + std::to_string(unix_now());
}

std::string region_of(const Role& role, const Environment& environment) {
    for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
        if (auto region = variable(environment, name)) {
            return *region;
        }
    }
    return !role.region.empty()          ? role.region
           : !environment.region.empty() ? environment.region
                                         : "us-east-1";
}

Fetched ask(const Role& role, const char* operation, ApiClient::Parameters parameters,
            const Credentials& keys, const Environment& environment, const std::string& source,
            const std::atomic<bool>& stop) {
    parameters.insert(parameters.begin(), {{"RoleArn", role.arn},
                                           {"RoleSessionName", session_name(role, environment)}});
    if (role.seconds) {
        parameters.emplace_back("DurationSeconds", std::to_string(*role.seconds));
    }
    const auto shared = std::make_shared<const Credentials>(keys);
    const ApiClient client(environment.aws, environment, [shared] { return shared; }, kTiming);
    const ApiPlace place{ApiService::sts, region_of(role, environment)};
    auto answer = client.query(place, operation, parameters, stop);
    if (!answer) {
        const ApiError& error = answer.error();
        return Broken{error.status == 0 ? client.url(place) + ": " + error.message
                                        : std::string(operation) + " of " + excerpt(role.arn) +
                                              ": STS answered " + error.text()};
    }
    const pugi::xml_node given = answer->select_node("//*[local-name()='Credentials']").node();
    const auto text = [&](const char* name) { return std::string(trim(given.child_value(name))); };
    Credentials found;
    found.access_key_id = text("AccessKeyId");
    found.secret_access_key = text("SecretAccessKey");
    found.session_token = text("SessionToken");
    found.expiry = parse_timestamp(text("Expiration"));
    found.source = source;
    if (!found.expiry || found.session_token.empty()) {
        return Broken{"STS's answer has no session token or expiry"};
    }
    return checked(std::move(found));
}

class AccountSource : public Source {
public:
    AccountSource(AccountConfig account, BaseKeys base, Environment environment)
        : account_(std::move(account)),
          base_(std::move(base)),
          environment_(std::move(environment)) {}
    std::string name() const override { return "role " + account_.role_arn; }
    Fetched fetch(const std::atomic<bool>& stop) override {
        const auto keys = base_ ? base_() : nullptr;
        if (!keys) {
            return Broken{"there are no credentials to take it on with"};
        }
        if (keys->access_key_id.empty()) {
            return Broken{"a Bedrock key cannot take on a role; it takes access keys"};
        }
        Role role;
        role.arn = account_.role_arn;
        role.external_id = account_.external_id;
        role.session_name = account_.session_name.empty() ? "weir" : account_.session_name;
        return assume_role(role, *keys, environment_, name(), stop);
    }

private:
    AccountConfig account_;
    BaseKeys base_;
    Environment environment_;
};

}  // namespace

Fetched assume_role(const Role& role, const Credentials& keys, const Environment& environment,
                    const std::string& source, const std::atomic<bool>& stop) {
    ApiClient::Parameters parameters;
    if (!role.external_id.empty()) {
        parameters.emplace_back("ExternalId", role.external_id);
    }
    return ask(role, "AssumeRole", std::move(parameters), keys, environment, source, stop);
}

Fetched assume_role_with_token(const Role& role, const std::string& token_file,
                               const Environment& environment, const std::string& source,
                               const std::atomic<bool>& stop) {
    auto file = read_file(token_file);  // each time: the platform rotates it
    if (!file) {
        return Broken{"token file: " + file.error().message};
    }
    const std::string token(trim(*file));
    if (!is_token_text(token)) {
        return Broken{"the token file holds no token: " + token_file};
    }
    return ask(role, "AssumeRoleWithWebIdentity", {{"WebIdentityToken", token}}, {}, environment,
               source, stop);
}

ApiResult<Caller> caller_of(const ApiClient& client, const std::string& region,
                            const std::atomic<bool>& stop) {
    auto answer = client.query({ApiService::sts, region}, "GetCallerIdentity", {}, stop);
    if (!answer) {
        return std::unexpected(std::move(answer.error()));
    }
    const auto found = answer->select_node("//*[local-name()='GetCallerIdentityResult']").node();
    Caller caller{excerpt(found.child_value("Account")), excerpt(found.child_value("Arn"))};
    if (caller.arn.empty()) {
        return std::unexpected(ApiError{200, "", "the answer holds no identity", ""});
    }
    return caller;
}

std::unique_ptr<Source> make_account_source(const AccountConfig& account, BaseKeys base,
                                            const Environment& environment) {
    return std::make_unique<AccountSource>(account, std::move(base), environment);
}

}  // namespace weir::aws
