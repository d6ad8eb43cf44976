// Which header fields cross weir, in either direction, and which it reads for itself.
#pragma once

#include "codec/http1.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

/// Appends the request fields that go on to Bedrock. Left out: what belongs to one hop, what weir
/// signs or sets anew, what is secret, and every x-weir-* (returned in `unknown_weir` where weir
/// has no such field). `instead`: fields of weir's own, in the place of the client's of those
/// names; of an empty value: neither.
void append_forwarded_request_fields(std::string& out, const codec::Head& head,
                                     std::vector<std::string_view>& unknown_weir,
                                     std::span<const codec::Field> instead = {});

/// Appends the response fields that go on to the client: all but one hop's own, the length and the
/// date.
void append_forwarded_response_fields(std::string& out, const codec::Head& head);

/// A field that weir signs, authenticates or frames by (Content-Type, Host, X-Amz-*, ...) and that
/// a reader may take in two ways: sent twice, or named by Connection as one hop's own. Empty: none.
std::string_view ambiguous_field(const codec::Head& head);

}  // namespace weir::gateway
