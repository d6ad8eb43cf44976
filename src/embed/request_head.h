// A call of this process as the head of an HTTP request.
#pragma once

#include <weir/client.h>
#include <weir/result.h>

#include <string>

namespace weir::embed {

/// With the empty line at its end. The error says what of `request` no head can hold.
Result<std::string> request_head(const Client::Request& request);

}  // namespace weir::embed
