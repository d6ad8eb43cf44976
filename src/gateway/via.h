// The Via field (RFC 9110, 7.6.3), by which a request that comes back to this weir is known.
#pragma once

#include "codec/http1.h"

#include <string>
#include <string_view>

namespace weir::gateway {

/// `weir-` and 16 random hexadecimal digits: the pseudonym of one running gateway. Two gateways in
/// a chain have two names, so only a request that returns to the same one is a loop.
std::string new_instance_name();

/// Whether a received-by of this Via value is exactly `name`. Text in comments is not looked at.
bool via_names(std::string_view value, std::string_view name);

/// Whether the request has been through the gateway called `name`.
bool has_been_through(const codec::Head& head, std::string_view name);

/// One Via field: what the request's own said, then this gateway. `http_version`: 10, 11 or 20, as
/// the request was received.
void append_via(std::string& out, const codec::Head& head, int http_version, std::string_view name);

}  // namespace weir::gateway
