// The query of a request to the admin port.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

/// What is behind the `?` of a target.
std::string_view query_of(std::string_view target);

/// As it stands in the query: nothing is decoded.
struct QueryPair {
    std::string_view name;
    std::optional<std::string_view> value;  // nullopt: there is no `=`
};
/// Its parts between `&`; one after the last `&` counts only if there is something.
std::vector<QueryPair> query_pairs(std::string_view query);

/// The values of a target's query, decoded: "?kind=target&name=a%2Fb". Nullopt: it is malformed.
std::optional<std::map<std::string, std::string>> query_values(std::string_view target);

}  // namespace weir::gateway
