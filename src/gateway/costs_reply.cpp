#include "gateway/costs_reply.h"

#include "bedrock/prices.h"
#include "codec/hex.h"
#include "observe/ledger_text.h"

#include <algorithm>
#include <string>

namespace weir::gateway {

CostsReply costs_reply(const observe::LedgerDays& days, std::string_view query,
                       std::int64_t unix_seconds) {
    std::string since;
    std::string by;
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        const std::size_t equals = std::min(pair.find('='), pair.size());
        const std::string name = codec::percent_decoded(pair.substr(0, equals));
        std::string value = codec::percent_decoded(pair.substr(std::min(pair.size(), equals + 1)));
        if (name != "since" && name != "by") {
            return {.text = "weir: GET /costs takes since and by"};
        }
        (name == "since" ? since : by) = std::move(value);
    }
    const auto asked = observe::costs_query(since, by, observe::day_of(unix_seconds));
    if (!asked) {
        return {.text = "weir: " + asked.error().message};
    }
    auto json = observe::costs_json(days, *asked);
    json["prices_date"] = bedrock::builtin_prices().date;
    return {.good = true,
            .text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

}  // namespace weir::gateway
