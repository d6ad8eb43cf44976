// Compression of bodies for services that take it.
#pragma once

#include <string>
#include <string_view>

namespace weir::aws {

/// The gzip form (RFC 1952), made quickly rather than as small as can be; empty: it could not be
/// made.
std::string gzipped(std::string_view text);

}  // namespace weir::aws
