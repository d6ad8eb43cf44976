// The AWS SDKs' shared files, ~/.aws/config and ~/.aws/credentials, read as tolerantly as they do.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace weir::aws {

using IniSection = std::map<std::string, std::string>;  // keys in lower case

/// Section heading as written between the brackets, blanks squeezed, to its keys. Sections that
/// appear twice are merged; of a key given twice the last counts. Lines that make no sense are
/// passed over. A line indented deeper than the key above it continues that key's value, so the
/// nested settings (`s3 =`) never show up as keys of the profile.
using IniFile = std::map<std::string, IniSection>;

IniFile parse_ini(std::string_view text);

/// The keys of `profile` in a config file: `[profile NAME]`, and for "default" `[default]` too.
/// Null if there is no such section.
const IniSection* config_profile(const IniFile& file, const std::string& profile);

}  // namespace weir::aws
