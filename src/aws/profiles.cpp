#include "aws/profiles.h"

#include "aws/source.h"
#include "aws/text.h"

namespace weir::aws {
namespace {

std::string path_of(const Environment& environment, const char* name, const char* file) {
    std::string path = variable(environment, name).value_or("~/.aws/" + std::string(file));
    if (path.starts_with("~/") && !environment.home.empty()) {
        path = environment.home + path.substr(1);
    }
    return path;
}

}  // namespace

bool holds_keys(const IniSection& section) {
    return section.contains("aws_access_key_id") || section.contains("aws_secret_access_key");
}

std::string Profile::value(const std::string& key) const {
    for (const IniSection* section : {&credentials, &config}) {
        auto found = section->find(key);
        if (found != section->end() && !found->second.empty()) {
            return found->second;
        }
    }
    return "";
}

bool Profile::has_keys() const {
    return holds_keys(credentials) || holds_keys(config);
}

Profiles::Profiles(const Environment& environment)
    : credentials_path_(path_of(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials")),
      config_path_(path_of(environment, "AWS_CONFIG_FILE", "config")),
      credentials_(read(credentials_path_)),
      config_(read(config_path_)) {}

/// A file that is absent is no matter; one that is there but closed to us is told of.
IniFile Profiles::read(const std::string& path) {
    auto text = read_file(path);
    if (text) {
        return parse_ini(*text);
    }
    if (!text.error().message.starts_with("no such file")) {
        unread_ += "; " + text.error().message;
    }
    return {};
}

Profile Profiles::profile(const std::string& name) const {
    Profile profile;
    if (auto found = credentials_.find(name); found != credentials_.end()) {
        profile.credentials = found->second;
        profile.exists = true;
    }
    if (const IniSection* found = config_profile(config_, name)) {
        profile.config = *found;
        profile.exists = true;
    }
    return profile;
}

const IniSection* Profiles::sso_session(const std::string& name) const {
    auto found = config_.find("sso-session " + name);
    return found == config_.end() ? nullptr : &found->second;
}

std::string Profiles::where_not() const {
    return "not in " + credentials_path_ + " nor " + config_path_ + unread_;
}

std::string asked_profile(const std::string& configured, const Environment& environment) {
    std::string profile = configured;
    for (const char* name : {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}) {
        if (profile.empty()) {
            profile = variable(environment, name).value_or("");
        }
    }
    return profile;
}

}  // namespace weir::aws
