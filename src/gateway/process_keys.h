// What a running gateway takes from its process: credentials, from where the AWS SDKs find them,
// and the Region of the environment.
#pragma once

#include "gateway/snapshot.h"

#include <weir/config.h>
#include <weir/types.h>

#include <functional>
#include <optional>
#include <string>

namespace weir::gateway {

/// Not started. `base`: the keys that take on wanted.role.
std::unique_ptr<aws::CredentialsProvider> make_provider(const KeysWanted& wanted,
                                                        aws::BaseKeys base, LogSink log);

/// Looks for them as long as the KeySource lives, on a thread of its own.
RegionDirectory::MakeKeys process_keys(LogSink log);

using Getenv = std::function<std::optional<std::string>(const std::string&)>;

/// This process's environment.
std::optional<std::string> process_variable(const std::string& name);

/// The variable that names the Region of unsigned calls, and that Region. nullopt: none does, or it
/// is not among those that `config` declares: a Region of the shell may well be another.
struct NamedRegion {
    std::string variable;
    std::string region;
};
std::optional<NamedRegion> region_of_environment(const Config& config, const Getenv& getenv);

}  // namespace weir::gateway
