// What may stand under `prices`.

#include "policy/validate.h"

#include <algorithm>

namespace weir::policy {

namespace {

/// As AWS writes them: parts of letters, and a number at the end.
bool is_region_name(std::string_view text) {
    const std::size_t dash = text.rfind('-');
    if (dash == std::string_view::npos || text.find('-') == dash) {
        return false;
    }
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; };
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    const std::string_view number = text.substr(dash + 1);
    return std::ranges::all_of(text.substr(0, dash), letter) && !number.empty() &&
           number.size() <= 2 && std::ranges::all_of(number, digit);
}

}  // namespace

void validate_prices(const Config& config, Problems& problems) {
    for (std::size_t i = 0; i < config.prices.size(); ++i) {
        const PriceConfig& price = config.prices[i];
        const std::string path = element("prices", i);
        problems.require(!price.models.empty(), path + ".models",
                         "a price needs `models`; allowed are model ids and patterns such as "
                         "us.anthropic.*");
        for (std::size_t j = 0; j < price.models.size(); ++j)
            problems.require(!price.models[j].empty(), element(path + ".models", j),
                             "is empty; allowed is a model id or a pattern such as us.anthropic.*");
        problems.require(
            price.input || price.output || price.cache_read || price.cache_write ||
                price.cache_write_1h,
            path,
            "sets nothing; allowed are input, output, cache_read, cache_write, cache_write_1h");
        if (config.regions.empty())
            problems.require(price.region.empty() || is_region_name(price.region), path + ".region",
                             quoted(price.region) +
                                 " is no Region; allowed is one such as "
                                 "us-east-1");
        else
            problems.require(price.region.empty() || is_declared(config, price.region),
                             path + ".region",
                             quoted(price.region) + " is not declared; declared are " +
                                 declared_regions(config));
        validate_account(config, price.account, path + ".account", problems);
    }
}

}  // namespace weir::policy
