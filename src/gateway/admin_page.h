// The page at `/` of the admin port: one file, which asks for nothing but the admin port's own
// data.
#pragma once

#include "net/server.h"

#include <string>
#include <string_view>

namespace weir::gateway {

/// The file as web/build made it, embedded by CMake.
std::string_view page_html();
/// Its Content-Security-Policy: what the page's <meta> says, and what only a header can say.
std::string page_policy(std::string_view html);

/// GET / and HEAD /. The page holds no data, so it needs no key; what it asks for does.
net::Task<void> answer_page(net::Downstream& downstream);

}  // namespace weir::gateway
