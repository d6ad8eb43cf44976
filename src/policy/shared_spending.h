// What one instance tells the others of a client's spending, and what it knows of theirs. Pure; one
// object a client with a budget.
#pragma once

#include "policy/budget.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::policy {

/// This instance's own total of one period, that of earlier runs included. Absolute, and the store
/// keeps the largest: telling it twice, late or in another order changes nothing.
struct SpendingReport {
    BudgetPeriod period = BudgetPeriod::day;
    std::string name;          ///< of the period
    MicroDollars counted = 0;  ///< by this instance itself
    /// What it tells: with what an earlier run had told and not kept. 0 until it has heard of that.
    MicroDollars spent = 0;
    MicroDollars under_way = 0;

    bool operator==(const SpendingReport&) const = default;
};

/// What the store says to a report.
struct SpendingAnswer {
    SpendingReport to;
    MicroDollars own = 0;  ///< the largest that was told in this instance's name
    MicroDollars others = 0;
    MicroDollars others_under_way = 0;
    std::uint32_t instances = 1;  ///< that have told something, this one included
    std::uint32_t strange = 0;    ///< values there that no instance has written
};

class SharedSpending {
public:
    /// Before the first call of this run is counted: `counted` is what earlier ones have kept.
    void begin(const Spending& counted, std::int64_t now);
    /// For the periods of which `config` has a budget.
    std::vector<SpendingReport> reports(const BudgetConfig& config, const Spending& counted,
                                        double under_way, std::int64_t now);
    void heard(const SpendingAnswer& answer, std::int64_t now);

    /// Here and elsewhere, as far as is known.
    Spending total(const Spending& counted, std::int64_t now) const;
    /// Of the others' calls: what was heard lately.
    double others_under_way(std::int64_t now) const;

private:
    struct Period {
        std::optional<std::int64_t> number;
        std::string name;         ///< as the store has it
        MicroDollars first = 0;   ///< counted when this run began, or the period
        MicroDollars lift = 0;    ///< told by earlier runs, and not counted any more
        MicroDollars others = 0;  ///< a total only grows: a store that lost some lowers nothing
        MicroDollars others_under_way = 0;
        std::optional<std::int64_t> heard;
    };

    Period& of(BudgetPeriod period, MicroDollars counted, std::int64_t now);
    double beyond(BudgetPeriod period, std::int64_t now) const;

    std::array<Period, 2> periods_;
};

}  // namespace weir::policy
