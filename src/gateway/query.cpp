#include "gateway/query.h"

#include "codec/hex.h"

#include <algorithm>

namespace weir::gateway {

std::string_view query_of(std::string_view target) {
    const auto mark = target.find('?');
    return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

std::vector<QueryPair> query_pairs(std::string_view query) {
    std::vector<QueryPair> pairs;
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        const auto equals = pair.find('=');
        pairs.push_back({pair.substr(0, equals), equals == std::string_view::npos
                                                     ? std::nullopt
                                                     : std::optional(pair.substr(equals + 1))});
    }
    return pairs;
}

std::optional<std::map<std::string, std::string>> query_values(std::string_view target) {
    std::map<std::string, std::string> values;
    for (const QueryPair& pair : query_pairs(query_of(target))) {
        if (!pair.value) {
            return std::nullopt;
        }
        values[codec::percent_decoded(pair.name)] = codec::percent_decoded(*pair.value);
    }
    return values;
}

}  // namespace weir::gateway
