// The shared files: one profile of ~/.aws/credentials and ~/.aws/config.
#include "aws/ini.h"
#include "aws/process.h"
#include "aws/source.h"
#include "aws/text.h"

#include <chrono>
#include <initializer_list>

namespace weir::aws {
namespace {

constexpr std::chrono::seconds kProcessTimeout(60);

/// What one profile says in each file. In the SDKs the credentials file wins where both speak.
struct Profile {
    IniSection credentials;
    IniSection config;
    bool exists = false;

    std::string value(const std::string& key) const {
        for (const IniSection* section : {&credentials, &config}) {
            auto found = section->find(key);
            if (found != section->end() && !found->second.empty()) {
                return found->second;
            }
        }
        return "";
    }
};

class ProfileSource : public Source {
public:
    ProfileSource(const CredentialsConfig& config, Environment environment)
        : environment_(std::move(environment)), profile_(config.profile) {
        for (const char* name : {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}) {
            if (profile_.empty()) {
                profile_ = variable(environment_, name).value_or("");
            }
        }
        asked_for_ = !profile_.empty();
        if (!asked_for_) {
            profile_ = "default";
        }
        credentials_path_ = path("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        config_path_ = path("AWS_CONFIG_FILE", "config");
    }

    std::string name() const override { return "profile " + profile_; }
    std::vector<std::string> files() const override { return {credentials_path_, config_path_}; }

    Fetched fetch(const std::atomic<bool>& stop) override {
        std::string unread;
        Profile profile = load(unread);
        if (!profile.exists) {
            std::string why = "not in " + credentials_path_ + " nor " + config_path_ + unread;
            if (asked_for_) {
                return Broken{why};
            }
            return Absent{why};
        }
        if (auto later = not_supported(profile)) {
            return *later;
        }
        if (!profile.value("role_arn").empty()) {
            return web_identity(profile, stop);
        }
        if (has_keys(profile.credentials)) {
            return keys(profile.credentials, credentials_path_);
        }
        if (std::string command = profile.value("credential_process"); !command.empty()) {
            return process(command, stop);
        }
        if (has_keys(profile.config)) {
            return keys(profile.config, config_path_);
        }
        return Absent{"it has neither keys, credential_process nor a role"};
    }

private:
    std::string path(const char* name, const char* file) const {
        auto set = variable(environment_, name);
        std::string path = set.value_or("~/.aws/" + std::string(file));
        if (path.starts_with("~/") && !environment_.home.empty()) {
            path = environment_.home + path.substr(1);
        }
        return path;
    }

    /// A file that is absent is no matter; `unread` tells of one that is there but closed to us.
    Profile load(std::string& unread) const {
        Profile profile;
        if (auto text = read_file(credentials_path_)) {
            IniFile file = parse_ini(*text);
            if (auto found = file.find(profile_); found != file.end()) {
                profile.credentials = found->second;
                profile.exists = true;
            }
        } else if (!text.error().message.starts_with("no such file")) {
            unread += "; " + text.error().message;
        }
        if (auto text = read_file(config_path_)) {
            IniFile file = parse_ini(*text);
            if (const IniSection* found = config_profile(file, profile_)) {
                profile.config = *found;
                profile.exists = true;
            }
        } else if (!text.error().message.starts_with("no such file")) {
            unread += "; " + text.error().message;
        }
        return profile;
    }

    /// Kinds of profile that another SDK would have used: never skipped in silence.
    static std::optional<Broken> not_supported(const Profile& profile) {
        auto has = [&](const char* key) { return !profile.value(key).empty(); };
        if (has("role_arn") && (has("source_profile") || has("credential_source"))) {
            return Broken{
                "role_arn with source_profile or credential_source is not supported yet; "
                "use credential_process (aws configure export-credentials)"};
        }
        for (const char* key :
             {"sso_session", "sso_start_url", "sso_account_id", "login_session"}) {
            if (has(key)) {
                return Broken{std::string(key) +
                              " is not supported yet; use credential_process (aws configure "
                              "export-credentials)"};
            }
        }
        return std::nullopt;
    }

    Fetched web_identity(const Profile& profile, const std::atomic<bool>& stop) const {
        WebIdentity identity = web_identity_defaults(environment_);
        identity.token_file = profile.value("web_identity_token_file");
        identity.role_arn = profile.value("role_arn");
        if (identity.token_file.empty()) {
            return Broken{
                "role_arn needs web_identity_token_file, source_profile or "
                "credential_source beside it"};
        }
        if (std::string session = profile.value("role_session_name"); !session.empty()) {
            identity.session_name = session;
        }
        if (identity.region.empty()) {
            identity.region = profile.value("region");
        }
        return assume_with_web_identity(identity, name() + " (web identity)", stop);
    }

    Fetched process(const std::string& command, const std::atomic<bool>& stop) const {
        auto output = run_command(command, kProcessTimeout, stop);
        if (!output) {
            return Broken{"credential_process: " + output.error().message};
        }
        Fetched found =
            parse_json_credentials(*output, "SessionToken", name() + " (credential_process)");
        if (auto* broken = std::get_if<Broken>(&found)) {
            broken->why = "credential_process: " + broken->why;
        }
        return found;
    }

    static bool has_keys(const IniSection& section) {
        return section.contains("aws_access_key_id") || section.contains("aws_secret_access_key");
    }

    Fetched keys(const IniSection& section, const std::string& path) const {
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
        found.source = name();
        Fetched result = checked(std::move(found));
        if (auto* broken = std::get_if<Broken>(&result)) {
            broken->why += " in " + path;
        }
        return result;
    }

    Environment environment_;
    std::string profile_;
    bool asked_for_ = false;  // named by somebody; "default" may be missing, this one may not
    std::string credentials_path_;
    std::string config_path_;
};

}  // namespace

std::unique_ptr<Source> make_profile_source(const CredentialsConfig& config,
                                            const Environment& environment) {
    return std::make_unique<ProfileSource>(config, environment);
}

}  // namespace weir::aws
