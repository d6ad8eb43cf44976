// What tokens cost on Amazon Bedrock, as prices.csv has it: data with its source and date.
#pragma once

#include <weir/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir::bedrock {

/// Millionths of a millionth of a US dollar. A price of one US dollar for a million tokens is a
/// million of them for a token; no price of the table needs less.
using PicoDollars = std::uint64_t;

/// Of one token. What is unset is unknown.
struct Rates {
    std::optional<PicoDollars> input;  ///< without those read from or written to a cache
    std::optional<PicoDollars> output;
    std::optional<PicoDollars> cache_read;
    std::optional<PicoDollars> cache_write;     ///< kept for five minutes
    std::optional<PicoDollars> cache_write_1h;  ///< kept for an hour

    bool operator==(const Rates&) const = default;
};

struct PriceRow {
    std::string_view model;   ///< with its geo prefix
    std::string_view region;  ///< empty: Regions without a row of their own, but GovCloud's
    Endpoint endpoint = Endpoint::runtime;
    Tier tier = Tier::standard;
    std::uint64_t above = 0;  ///< for calls with more tokens of input, cached ones included
    Rates rates = {};
    std::string_view source;
};

struct PriceTable {
    std::span<const PriceRow> rows;  ///< ordered by model, Region, endpoint, tier, above
    std::string_view date;           ///< of its sources
};

/// Read once; a row that cannot be read is left out (the tests find it).
const PriceTable& builtin_prices();

/// `target.tier` unset: the default tier. Null: no source tells.
const PriceRow* builtin_price(std::string_view model, const Target& target,
                              std::uint64_t input_tokens);

/// "0.075", US dollars for a million tokens, or "3"; 0.000001 is the smallest that counts.
std::optional<PicoDollars> parse_price(std::string_view dollars);

std::string_view prices_csv();

}  // namespace weir::bedrock
