// A target of a route, for tests that need no more of it.
#pragma once

#include <weir/config.h>

#include <string>

namespace weir::test {

inline RouteTarget target(const std::string& region, const std::string& model = "",
                          const std::string& account = "") {
    RouteTarget one;
    one.region = region;
    one.model = model;
    one.account = account;
    return one;
}

}  // namespace weir::test
