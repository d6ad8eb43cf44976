// What calls have used and cost, and what weir has saved, as sums of whole numbers.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace weir::observe {

/// Billionths of a US dollar, so that sums of calls are exact. 2^64 of them are 18 billion dollars.
using NanoDollars = std::uint64_t;
inline constexpr double kNanoOfDollar = 1e9;

/// Of one call, or of many. Sums stay at the largest number instead of beginning anew.
struct Costs {
    std::uint64_t requests = 0;       ///< answered, or paid for
    std::uint64_t without_usage = 0;  ///< of those: the answer told no tokens; none are counted
    std::uint64_t unpriced = 0;       ///< of those: some of their tokens have no price
    std::uint64_t input = 0;          ///< without those read from or written to a cache
    std::uint64_t output = 0;
    std::uint64_t cache_read = 0;
    std::uint64_t cache_write = 0;
    std::uint64_t unpriced_tokens = 0;  ///< of those four: without a price
    NanoDollars cost = 0;               ///< of the tokens that have one

    std::uint64_t rescued = 0;            ///< answered after a wait or a failed attempt
    std::uint64_t elsewhere = 0;          ///< answered by a later target of the route
    std::uint64_t rescued_elsewhere = 0;  ///< both
    std::uint64_t unheld = 0;             ///< quota tokens that right-sizing did not hold
    std::uint64_t unheld_seconds = 0;     ///< those, each times the seconds of its attempt
    std::uint64_t paid_again = 0;         ///< tokens of answers that right-sizing had cut short

    void add(const Costs& more);
    bool operator==(const Costs&) const = default;
};

/// A column of the ledger: its name in the file, in GET /costs and in CSV.
struct CostField {
    std::string_view name;
    std::uint64_t Costs::* value;
};
inline constexpr std::array kCostFields{
    CostField{"requests", &Costs::requests},
    CostField{"without_usage", &Costs::without_usage},
    CostField{"unpriced_requests", &Costs::unpriced},
    CostField{"input", &Costs::input},
    CostField{"output", &Costs::output},
    CostField{"cache_read", &Costs::cache_read},
    CostField{"cache_write", &Costs::cache_write},
    CostField{"unpriced_tokens", &Costs::unpriced_tokens},
    CostField{"cost_nanodollars", &Costs::cost},
    CostField{"rescued", &Costs::rescued},
    CostField{"failed_over", &Costs::elsewhere},
    CostField{"rescued_by_failover", &Costs::rescued_elsewhere},
    CostField{"tokens_not_held", &Costs::unheld},
    CostField{"token_seconds_not_held", &Costs::unheld_seconds},
    CostField{"tokens_paid_again", &Costs::paid_again},
};

/// At most the largest number.
constexpr std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t sum = a + b;
    return sum < a ? std::numeric_limits<std::uint64_t>::max() : sum;
}

inline void Costs::add(const Costs& more) {
    for (const CostField& field : kCostFields) {
        this->*field.value = saturating_add(this->*field.value, more.*field.value);
    }
}

/// Whose costs.
enum class CostName : std::uint8_t { client, model, region, account, tag };
inline constexpr std::array<std::string_view, 5> kCostNames{"client", "model", "region", "account",
                                                            "tag"};
/// By CostName.
using CostNames = std::array<std::string_view, kCostNames.size()>;
using OwnCostNames = std::array<std::string, kCostNames.size()>;

/// "0.0105": exact, at least two digits behind the point.
std::string dollars_text(NanoDollars cost);

/// Days since 1970 in UTC.
using Day = std::int64_t;

constexpr Day day_of(std::int64_t unix_seconds) {
    constexpr std::int64_t kSeconds = 86'400;
    return unix_seconds / kSeconds - (unix_seconds % kSeconds < 0 ? 1 : 0);
}

/// 2026-11-30; years 0 to 9999.
std::string day_text(Day day);
/// The day, or -1 where `text` is none from 1970 on.
Day parse_day(std::string_view text);
/// The first day of its month.
Day month_start(Day day);

}  // namespace weir::observe
