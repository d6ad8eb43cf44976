// Which names are AWS Regions.
#pragma once

#include <string_view>

namespace weir::gateway {

/// A Region that AWS has, by the list of this release.
bool is_listed_region(std::string_view name);

/// Named as AWS names Regions: a place (`us`, `eu`, `ap`, `us-gov`, ...), a direction, a digit. It
/// becomes part of a host name.
bool looks_like_region(std::string_view name);

}  // namespace weir::gateway
