#include "gateway/costs_reply.h"

#include "bedrock/prices.h"
#include "codec/hex.h"
#include "gateway/query.h"
#include "observe/ledger_text.h"

#include <string>

namespace weir::gateway {

CostsReply costs_reply(const observe::LedgerDays& days, std::string_view query,
                       std::int64_t unix_seconds) {
    std::string since;
    std::string by;
    for (const QueryPair& pair : query_pairs(query)) {
        const std::string name = codec::percent_decoded(pair.name);
        std::string value = codec::percent_decoded(pair.value.value_or(std::string_view()));
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
