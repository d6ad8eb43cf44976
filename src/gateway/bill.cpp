#include "gateway/bill.h"

#include "policy/eligibility.h"
#include "policy/tariff.h"

#include <weir/models.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace weir::gateway {
namespace {

using bedrock::PicoDollars;

constexpr std::uint64_t kPicoOfNano = 1000;

bool fits(const PriceConfig& price, const Target& at, Tier tier, std::string_view model) {
    const auto covers = [&](const std::string& pattern) {
        return policy::glob_match(pattern, model) || policy::glob_match(pattern, at.model);
    };
    return (price.region.empty() || price.region == at.region) &&
           (price.account.empty() || plain_account(price.account) == at.account) &&
           (price.tier == Tier::unset || price.tier == tier) &&
           std::ranges::any_of(price.models, covers);
}

/// Dollars for a million tokens are millions of PicoDollars for one.
std::optional<PicoDollars> rate_of(const std::optional<double>& dollars) {
    return dollars ? std::optional(static_cast<PicoDollars>(std::llround(*dollars * 1e6)))
                   : std::nullopt;
}

bedrock::Rates rates_of(const PriceConfig& price) {
    bedrock::Rates rates;
    rates.input = rate_of(price.input);
    rates.output = rate_of(price.output);
    rates.cache_read = rate_of(price.cache_read);
    rates.cache_write = rate_of(price.cache_write);
    rates.cache_write_1h = rate_of(price.cache_write_1h);
    return rates;
}

struct Found {
    const PriceConfig* own = nullptr;          // of the configuration
    const bedrock::PriceRow* built = nullptr;  // of the built-in list, otherwise

    bedrock::Rates rates() const {
        return own != nullptr ? rates_of(*own) : built != nullptr ? built->rates : bedrock::Rates();
    }
};

Found find(const Config& config, const Target& at, std::optional<Tier> asked,
           std::uint64_t input_tokens, Tier served = Tier::unset) {
    const auto tier = served != Tier::unset    ? std::optional(served)
                      : at.tier != Tier::unset ? std::optional(at.tier)
                                               : asked;
    if (!tier) {
        return {};
    }
    const Tier charged = *tier == Tier::unset ? Tier::standard : *tier;
    const std::string_view model = strip_arn(policy::without_alias(config, at.model));
    for (const PriceConfig& price : config.prices) {
        if (fits(price, at, charged, model)) {
            return {.own = &price};
        }
    }
    return {.built = bedrock::builtin_price(
                model, {.region = at.region, .model = {}, .endpoint = at.endpoint, .tier = charged},
                input_tokens)};
}

std::uint64_t saturating_product(std::uint64_t a, std::uint64_t b) {
    std::uint64_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<std::uint64_t>::max()
                                                  : product;
}

std::uint64_t input_of(const Usage& usage) {
    return observe::saturating_add(usage.input,
                                   observe::saturating_add(usage.cache_read, usage.cache_write));
}

}  // namespace

Price price_of(const Config& config, const Target& at, std::optional<Tier> tier,
               std::uint64_t input_tokens) {
    const Found found = find(config, at, tier, input_tokens);
    Price price;
    price.rates = found.rates();
    if (found.own != nullptr) {
        price.source = "prices[" + std::to_string(found.own - config.prices.data()) + "]";
    } else if (found.built != nullptr) {
        price.source = found.built->source;
    }
    return price;
}

Bill bill_of(const bedrock::Rates& rates, const Usage& usage) {
    Bill bill;
    std::uint64_t rest = 0;  // below a billionth of a dollar
    const std::uint64_t for_an_hour = std::min(usage.cache_write_1h, usage.cache_write);
    const std::array<std::pair<std::uint64_t, std::optional<PicoDollars>>, 5> kinds{
        std::pair(usage.input, rates.input), std::pair(usage.output, rates.output),
        std::pair(usage.cache_read, rates.cache_read),
        std::pair(usage.cache_write - for_an_hour, rates.cache_write),
        std::pair(for_an_hour, rates.cache_write_1h)};
    for (const auto& [tokens, rate] : kinds) {
        if (!rate) {
            bill.unpriced_tokens = observe::saturating_add(bill.unpriced_tokens, tokens);
            continue;
        }
        bill.cost =
            observe::saturating_add(bill.cost, saturating_product(tokens, *rate / kPicoOfNano));
        const std::uint64_t odd = *rate % kPicoOfNano;
        bill.cost =
            observe::saturating_add(bill.cost, saturating_product(tokens / kPicoOfNano, odd));
        rest += tokens % kPicoOfNano * odd;
    }
    bill.cost = observe::saturating_add(bill.cost, (rest + kPicoOfNano / 2) / kPicoOfNano);
    return bill;
}

Bill bill_of(const Config& config, const Target& at, std::optional<Tier> tier, const Usage& usage) {
    return bill_of(find(config, at, tier, input_of(usage), usage.tier).rates(), usage);
}

Bill presumed_bill(const Config& config, const Target& at, std::optional<Tier> tier,
                   const Usage& usage) {
    const Bill bill = bill_of(config, at, tier, usage);
    if (bill.unpriced_tokens == 0) {
        return bill;
    }
    const Bill instead =
        bill_of(find(config, at, Tier::standard, input_of(usage), Tier::standard).rates(), usage);
    return instead.cost > bill.cost ? instead : bill;
}

}  // namespace weir::gateway
