// The AWS SDKs' shared files as one: ~/.aws/credentials and ~/.aws/config.
#pragma once

#include "aws/credentials.h"
#include "aws/ini.h"

#include <string>

namespace weir::aws {

/// What one profile says in each file. In the SDKs the credentials file wins where both speak.
struct Profile {
    IniSection credentials;
    IniSection config;
    bool exists = false;

    /// Empty: not set.
    std::string value(const std::string& key) const;
    bool has(const std::string& key) const { return !value(key).empty(); }
    bool has_keys() const;
};

/// Whether a section has a key, or a part of one.
bool holds_keys(const IniSection& section);

/// Both files as they are now.
class Profiles {
public:
    explicit Profiles(const Environment& environment);

    Profile profile(const std::string& name) const;
    /// `[sso-session NAME]`; null: there is none.
    const IniSection* sso_session(const std::string& name) const;
    /// "not in ... nor ...", and why a file that is there could not be read.
    std::string where_not() const;

    const std::string& credentials_path() const { return credentials_path_; }
    const std::string& config_path() const { return config_path_; }

private:
    IniFile read(const std::string& path);

    std::string credentials_path_;
    std::string config_path_;
    std::string unread_;
    IniFile credentials_;
    IniFile config_;
};

/// The profile that is asked for by `configured` or the environment; empty: none, so "default".
std::string asked_profile(const std::string& configured, const Environment& environment);

}  // namespace weir::aws
