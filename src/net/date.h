// The Date of an answer.
#pragma once

#include <string_view>

namespace weir::net {

/// "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n", renewed once a second. The view lives until the
/// next call on this thread.
std::string_view date_line();

}  // namespace weir::net
