// What a call's tokens cost: the price list of the configuration, then the built-in one.
#pragma once

#include "bedrock/prices.h"
#include "observe/costs.h"

#include <weir/config.h>
#include <weir/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace weir::gateway {

struct Price {
    bedrock::Rates rates = {};
    std::string source = {};  ///< `prices[2]`, or as the built-in list names it; empty: none tells
};

/// `tier`: the one that was asked for; nullopt: one that no list has. A target's own tier outdoes
/// it. `input_tokens` with cached ones: some models cost more from a size on.
Price price_of(const Config& config, const Target& at, std::optional<Tier> tier,
               std::uint64_t input_tokens);

struct Bill {
    observe::NanoDollars cost = 0;      ///< of the tokens that have a price
    std::uint64_t unpriced_tokens = 0;  ///< the others

    bool operator==(const Bill&) const = default;
};

/// Rounded once, to the nearest billionth of a dollar.
Bill bill_of(const bedrock::Rates& rates, const Usage& usage);

/// The same as price_of() and bill_of(), without the words. The tier that the answer names outdoes
/// the others.
Bill bill_of(const Config& config, const Target& at, std::optional<Tier> tier, const Usage& usage);

/// What a budget counts: the same, but the standard tier's prices where those of `tier` are not
/// known. Callers choose their tier, and must not leave their budget by it.
Bill presumed_bill(const Config& config, const Target& at, std::optional<Tier> tier,
                   const Usage& usage);

}  // namespace weir::gateway
