// What would have let a request be answered sooner: a function of what is kept of it, and nothing
// else.
#pragma once

#include "observe/life.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::observe {

struct Faster {
    /// quota, max_tokens, target, client_limit, max_in_flight, connections, deadline or model.
    std::string_view what;
    std::string text;  ///< a sentence with the figures
    std::string region = {};
    std::string model = {};
    LimitKind limit_kind = LimitKind::none;
    std::optional<std::uint64_t> from = {};  ///< the limit, or the caller's max_tokens
    std::optional<std::uint64_t> to = {};    ///< what would have been enough
};

/// `other_regions`: declared, and not among the targets of the request's model. Most useful first;
/// empty: nothing that is known of.
std::vector<Faster> faster(const Life& life, std::span<const Step> steps,
                           std::span<const std::string> other_regions);

}  // namespace weir::observe
