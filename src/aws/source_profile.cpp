// One profile of the shared files, and the profiles that it names in turn.
#include "aws/login.h"
#include "aws/process.h"
#include "aws/profiles.h"
#include "aws/source.h"
#include "aws/sso.h"
#include "aws/sts.h"
#include "aws/text.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <vector>

namespace weir::aws {
namespace {

constexpr std::chrono::seconds kProcessTimeout(60);

Fetched prefixed(Fetched fetched, const std::string& prefix) {
    if (auto* broken = std::get_if<Broken>(&fetched)) {
        broken->why = prefix + broken->why;
    }
    return fetched;
}

Fetched keys_of(const IniSection& section, const std::string& path, const std::string& source) {
    auto value = [&](const char* key) {
        auto found = section.find(key);
        return found == section.end() ? std::string() : found->second;
    };
    Credentials found;
    found.access_key_id = value("aws_access_key_id");
    found.secret_access_key = value("aws_secret_access_key");
    found.session_token = value("aws_session_token");
    if (found.session_token.empty()) {
        found.session_token = value("aws_security_token");  // its name of old
    }
    found.source = source;
    Fetched result = checked(std::move(found));
    if (auto* broken = std::get_if<Broken>(&result)) {
        broken->why += " in " + path;
    }
    return result;
}

/// Follows a chain of profiles, as far as it goes without a circle.
class Resolver {
public:
    Resolver(const Environment& environment, const std::atomic<bool>& stop)
        : environment_(environment), profiles_(environment), stop_(stop) {}

    const Profiles& profiles() const { return profiles_; }

    Fetched resolve(const std::string& name) {
        visited_.push_back(name);
        const Profile profile = profiles_.profile(name);
        if (!profile.exists) {
            return Absent{profiles_.where_not()};
        }
        if (profile.has("role_arn") && !profile.has("web_identity_token_file")) {
            return role(name, profile);
        }
        return without_role(name, profile);
    }

private:
    Fetched without_role(const std::string& name, const Profile& profile) const {
        const std::string source = "profile " + name;
        if (profile.has("role_arn") && profile.has("web_identity_token_file")) {
            return assume_role_with_token(role_of(profile),
                                          profile.value("web_identity_token_file"), environment_,
                                          source + " (web identity)", stop_);
        }
        if (profile.has("sso_account_id") || profile.has("sso_role_name")) {
            return sso_keys(name, profile, profiles_, environment_, stop_);
        }
        if (holds_keys(profile.credentials)) {
            return keys_of(profile.credentials, profiles_.credentials_path(), source);
        }
        if (profile.has("login_session")) {
            return login_keys(name, profile.value("login_session"), profile.value("region"),
                              environment_, stop_);
        }
        if (profile.has("credential_process")) {
            auto output = run_command(profile.value("credential_process"), kProcessTimeout, stop_);
            if (!output) {
                return Broken{"credential_process: " + output.error().message};
            }
            return prefixed(
                parse_json_credentials(*output, "SessionToken", source + " (credential_process)"),
                "credential_process: ");
        }
        if (holds_keys(profile.config)) {
            return keys_of(profile.config, profiles_.config_path(), source);
        }
        return Absent{
            "it has neither keys, a role, an SSO or login session, nor credential_process"};
    }

    Fetched role(const std::string& name, const Profile& profile) {
        if (profile.has("mfa_serial")) {
            return Broken{
                "it asks for a code of " + excerpt(profile.value("mfa_serial")) +
                " (mfa_serial), which a gateway has nobody to ask for; use a role without MFA, "
                "SSO, or credential_process"};
        }
        const std::string from = profile.value("source_profile");
        const std::string place = profile.value("credential_source");
        if (from.empty() == place.empty()) {
            return Broken{from.empty() ? "role_arn needs source_profile, credential_source or "
                                         "web_identity_token_file beside it"
                                       : "it has both source_profile and credential_source; "
                                         "allowed is one of them"};
        }
        const std::string& seconds = profile.value("duration_seconds");
        Role wanted = role_of(profile);
        if (!seconds.empty()) {
            int number = 0;
            const auto [end, error] =
                std::from_chars(seconds.data(), seconds.data() + seconds.size(), number);
            if (error != std::errc() || end != seconds.data() + seconds.size() || number < 900 ||
                number > 43'200) {
                return Broken{"duration_seconds is " + excerpt(seconds) +
                              "; allowed are 900 to 43200"};
            }
            wanted.seconds = number;
        }
        Fetched with = from.empty() ? of_place(place) : of_profile(name, profile, from);
        const auto* keys = std::get_if<Credentials>(&with);
        if (keys == nullptr) {
            const auto* absent = std::get_if<Absent>(&with);
            const std::string why = absent != nullptr ? absent->why : std::get<Broken>(with).why;
            return Broken{(from.empty() ? "credential_source " + excerpt(place)
                                        : "source_profile " + excerpt(from)) +
                          ": " + why};
        }
        return assume_role(
            wanted, *keys, environment_,
            "profile " + name + " (role " + wanted.arn + " with " + keys->source + ")", stop_);
    }

    Fetched of_profile(const std::string& name, const Profile& profile, const std::string& from) {
        if (std::ranges::find(visited_, from) != visited_.end()) {
            // A profile may hold the keys that take on its own role, and no other circle.
            if (from == name && profile.has_keys()) {
                return without_role(name, keys_alone(profile));
            }
            std::string circle;
            for (const std::string& visited : visited_) {
                circle += excerpt(visited) + " -> ";
            }
            return Broken{"its profiles go in a circle: " + circle + excerpt(from)};
        }
        const Profile next = profiles_.profile(from);
        if (!next.exists) {
            return Broken{profiles_.where_not()};
        }
        if (next.has_keys()) {  // as botocore has it: they come before the role beside them
            visited_.push_back(from);
            return without_role(from, keys_alone(next));
        }
        return resolve(from);
    }

    static Profile keys_alone(Profile profile) {
        for (IniSection* section : {&profile.credentials, &profile.config}) {
            section->erase("role_arn");
        }
        return profile;
    }

    Fetched of_place(const std::string& place) const {
        if (place == "Environment") {
            return environment_keys(environment_);
        }
        if (place == "Ec2InstanceMetadata") {
            return make_imds_source({}, environment_)->fetch(stop_);
        }
        if (place == "EcsContainer") {
            return make_container_source(environment_)->fetch(stop_);
        }
        return Broken{
            "it is unknown; allowed are Environment, Ec2InstanceMetadata and EcsContainer"};
    }

    static Role role_of(const Profile& profile) {
        Role role;
        role.arn = profile.value("role_arn");
        role.session_name = profile.value("role_session_name");
        role.external_id = profile.value("external_id");
        role.region = profile.value("region");
        return role;
    }

    const Environment& environment_;
    const Profiles profiles_;
    const std::atomic<bool>& stop_;
    std::vector<std::string> visited_;
};

class ProfileSource : public Source {
public:
    ProfileSource(const CredentialsConfig& config, Environment environment)
        : environment_(std::move(environment)),
          profile_(asked_profile(config.profile, environment_)),
          asked_for_(!profile_.empty()) {
        if (!asked_for_) {
            profile_ = "default";
        }
        const Profiles profiles(environment_);
        files_ = {profiles.credentials_path(), profiles.config_path()};
    }

    std::string name() const override { return "profile " + profile_; }
    std::vector<std::string> files() const override { return files_; }

    Fetched fetch(const std::atomic<bool>& stop) override {
        Resolver resolver(environment_, stop);
        Fetched fetched = resolver.resolve(profile_);
        const bool missing = !resolver.profiles().profile(profile_).exists;
        if (auto* absent = std::get_if<Absent>(&fetched); absent && missing && asked_for_) {
            return Broken{absent->why};
        }
        return fetched;
    }

private:
    Environment environment_;
    std::string profile_;
    bool asked_for_ = false;  // named by somebody; "default" may be missing, this one may not
    std::vector<std::string> files_;
};

}  // namespace

std::unique_ptr<Source> make_profile_source(const CredentialsConfig& config,
                                            const Environment& environment) {
    return std::make_unique<ProfileSource>(config, environment);
}

}  // namespace weir::aws
