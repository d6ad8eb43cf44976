// Geographies: the prefixes of inference profiles and the Regions that belong to them. The one list
// for residency, quota keys and model families.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::policy {

/// `us` of `us.anthropic.claude-...`; empty: the id has no geographic prefix. Prefixes that are not
/// known yet are told by their form: two letters, perhaps with a part behind a hyphen, before a
/// provider and a model.
std::string_view geography_of(std::string_view model_id);

/// What `routes[].residency` may say.
bool is_residency(std::string_view name);
std::string residencies();  // for messages: "any, us, eu, ..."

/// Does the Region lie there? Not for "any".
bool region_within(std::string_view residency, std::string_view region);

/// Its Regions, by name or as "eu-*"; "*" for the whole world.
std::vector<std::string> region_patterns(std::string_view geography);

/// Is a profile of this geography served nowhere else? An empty one is, for it stays in its Region.
bool geography_within(std::string_view residency, std::string_view geography);

}  // namespace weir::policy
