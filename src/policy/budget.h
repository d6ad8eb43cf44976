// What a client may still spend: its budgets against its bill, by UTC days and months.
#pragma once

#include <weir/config.h>
#include <weir/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace weir::policy {

/// Millionths of a US dollar: sums of many small amounts are compared as these. A shared store
/// keeps them too, whose numbers are exact up to 2^53.
using MicroDollars = std::uint64_t;
inline constexpr MicroDollars kMostMicroDollars = 1'000'000'000'000'000;  ///< 10^9 dollars
/// Rounded, from 0 to kMostMicroDollars.
MicroDollars to_micros(double dollars);
double from_micros(MicroDollars amount);

/// US dollars of one client, in the running day and month.
struct Spending {
    double day = 0;
    double month = 0;
};

enum class BudgetPeriod : std::uint8_t { day, month };
std::string_view to_string(BudgetPeriod period);

/// `held`: not spent yet, but calls under way may come to the rest.
enum class BudgetState : std::uint8_t { fine, warned, held, spent };
std::string_view to_string(BudgetState state);

/// As weir.yaml has it.
std::string_view to_string(BudgetEnd then);

/// One budget of a client and what has become of it.
struct BudgetStanding {
    BudgetPeriod period = BudgetPeriod::day;
    BudgetState state = BudgetState::fine;
    double budget = 0;
    double spent = 0;            ///< on calls that have ended
    double under_way = 0;        ///< what calls that have not ended may cost
    std::int64_t renews_at = 0;  ///< in seconds since 1970

    /// Of the calls that have ended alone, as it is reported: fine, warned or spent.
    BudgetState settled_state(double warn_at) const;
};

/// Nullopt: the client has no budget of this period.
std::optional<BudgetStanding> standing(const BudgetConfig& config, BudgetPeriod period,
                                       const Spending& spent, double under_way, std::int64_t now);
/// Of the period that limits the client more; nullopt: neither does.
std::optional<BudgetStanding> standing(const BudgetConfig& config, const Spending& spent,
                                       double under_way, std::int64_t now);

/// How long to wait before another call may do better.
Duration retry_after(const BudgetStanding& standing, std::int64_t now);

/// What becomes of a new call.
enum class BudgetVerdict : std::uint8_t { go_on, lower, refuse };
BudgetVerdict verdict(const BudgetConfig& config, const std::optional<BudgetStanding>& standing);

/// Days or months since 1970. Made for every call, unlike the name.
std::int64_t period_number(BudgetPeriod period, std::int64_t now);
/// "2026-11-30" and "2026-11".
std::string period_name(BudgetPeriod period, std::int64_t now);
/// The start of the next one, in seconds since 1970.
std::int64_t renewal(BudgetPeriod period, std::int64_t now);

/// As the log and messages have it: "$12.50", "$0.0042".
std::string dollars(double amount);
/// "2026-12-01 00:00 UTC".
std::string utc_text(std::int64_t unix_seconds);

/// One line for the log where what calls that have ended have cost has taken a budget to another
/// state; empty: it has not. `before` nullopt: this budget was not looked at before.
std::string budget_news(std::string_view client, const BudgetConfig& config,
                        const std::optional<BudgetStanding>& before, const BudgetStanding& now);

/// What is not in the ledger, because an answer broke off or told no tokens: estimates.
class Estimated {
public:
    void add(double dollars, std::int64_t now);
    Spending of(std::int64_t now) const;

private:
    struct Sum {
        std::int64_t period = 0;
        double dollars = 0;
    };
    Sum day_, month_;
};

/// How long answers are, from those there have been: what a call is expected to cost before its
/// end.
class OutputMean {
public:
    void saw(std::uint64_t tokens);
    /// At most `most`, which is the call's max_tokens or the model's maximum.
    std::uint64_t expected(std::uint64_t most) const;

private:
    double mean_ = 0;
    bool any_ = false;
};

/// By model, for the models that one client uses most lately. Of bounded size.
class OutputMeans {
public:
    void saw(std::string_view model, std::uint64_t tokens);
    std::uint64_t expected(std::string_view model, std::uint64_t most) const;

private:
    std::map<std::string, OutputMean, std::less<>> by_model_;
    OutputMean all_;  ///< of models that there is no room for, and of those not seen yet
};

/// What a budget shows of itself: /status and metrics.
struct BudgetStatus {
    std::string client;
    BudgetConfig config;
    std::optional<BudgetStanding> day;
    std::optional<BudgetStanding> month;
    bool shared = false;  ///< counts what other instances have told
};

}  // namespace weir::policy
