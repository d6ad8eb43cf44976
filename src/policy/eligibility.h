// The targets that a call may use.
#pragma once

#include <weir/config.h>

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::policy {

/// `pattern` with * for any text, the empty one included.
bool glob_match(std::string_view pattern, std::string_view text);

/// Whether the client's globs let it use a model: by its id, prefix included, as callers write it,
/// an ARN by its last part, or by an alias that stands for it.
bool may_use_model(const Config& config, const ClientConfig& client, std::string_view model);

/// True when `region` and the geo prefix of `model` both stay within `residency`.
bool resides(std::string_view residency, std::string_view region, std::string_view model);

/// The properties that decide the targets of a call; calls with equal ones share their candidates.
struct PathKey {
    std::string model;
    std::string home_region;
    bool converse = true;
    bool region_bound = false;
    Reach reach = Reach::runtime;
    std::string guardrail = {};  // one that some target maps; any other is region_bound
    std::string profile = {};    // likewise
    std::string client = {};     // set: its own regions and models apply
    std::string home_account = {};

    auto operator<=>(const PathKey&) const = default;
};

/// The route of a model, by its id or the last part of an ARN; null: it has none.
const RouteConfig* route_of(const Config& config, std::string_view model);

/// What a route's target is, to calls that ask for `model`.
Target target_of(const RouteTarget& target, std::string_view model);

struct Candidate {
    Target target;
    std::string model;  // what target.model stands for
    ApiPath path = ApiPath::as_asked;
    std::string guardrail;  // set: in place of the call's own
    std::string profile;
    bool substituted = false;
    bool degraded = false;
    std::uint32_t weight = 0;   ///< above 0: an equal of its weighted neighbours
    bool unlike_first = false;  ///< another base model than the route's first candidate
};

struct Skipped {
    std::string region;
    std::string model;
    const char* reason;
};

struct Candidates {
    const RouteConfig* route = nullptr;  ///< null: a model without a route
    std::vector<Candidate> usable;       ///< in order of preference
    std::vector<Skipped> skipped;
};

Candidates candidates(const Config& config, const PathKey& key);

/// The guardrails and profile ARNs that some target of `config` has something to put in place of.
/// Kept so that what callers name does not multiply paths.
struct Mapped {
    std::set<std::string, std::less<>> guardrails;  // without the rest of an ARN
    std::set<std::string, std::less<>> profiles;
};
Mapped mapped_by(const Config& config);

}  // namespace weir::policy
