#include "policy/shared_spending.h"

#include <algorithm>

namespace weir::policy {
namespace {

/// Calls end meanwhile, and an instance that says nothing has died.
constexpr std::int64_t kUnderWaySeconds = 10;

}  // namespace

SharedSpending::Period& SharedSpending::of(BudgetPeriod period, MicroDollars counted,
                                           std::int64_t now) {
    Period& one = periods_[static_cast<std::size_t>(period)];
    if (const auto number = period_number(period, now); one.number != number) {
        one = {};
        one.number = number;
        one.name = period_name(period, now);
        one.first = counted;
    }
    return one;
}

void SharedSpending::begin(const Spending& counted, std::int64_t now) {
    of(BudgetPeriod::day, to_micros(counted.day), now);
    of(BudgetPeriod::month, to_micros(counted.month), now);
}

std::vector<SpendingReport> SharedSpending::reports(const BudgetConfig& config,
                                                    const Spending& counted, double under_way,
                                                    std::int64_t now) {
    std::vector<SpendingReport> out;
    for (const auto period : {BudgetPeriod::day, BudgetPeriod::month}) {
        if (!(period == BudgetPeriod::day ? config.per_day : config.per_month)) {
            continue;
        }
        SpendingReport report;
        report.period = period;
        report.counted = to_micros(period == BudgetPeriod::day ? counted.day : counted.month);
        const Period& one = of(period, report.counted, now);
        report.name = one.name;
        if (one.heard) {
            report.spent = std::min(report.counted + one.lift, kMostMicroDollars);
        }
        report.under_way = to_micros(under_way);
        out.push_back(std::move(report));
    }
    return out;
}

void SharedSpending::heard(const SpendingAnswer& answer, std::int64_t now) {
    Period& one = periods_[static_cast<std::size_t>(answer.to.period)];
    if (one.name != answer.to.name || one.number != period_number(answer.to.period, now)) {
        return;  // of a period that is over
    }
    const MicroDollars own = std::min(answer.own, kMostMicroDollars);
    // Later, a larger total is another instance's with a copy of the same file: the larger counts.
    const MicroDollars known = one.heard ? answer.to.counted : one.first;
    if (own > known) {
        one.lift = std::max(one.lift, own - known);
    }
    one.others = std::max(one.others, std::min(answer.others, kMostMicroDollars));
    one.others_under_way = std::min(answer.others_under_way, kMostMicroDollars);
    one.heard = now;
}

double SharedSpending::beyond(BudgetPeriod period, std::int64_t now) const {
    const Period& one = periods_[static_cast<std::size_t>(period)];
    return one.number == period_number(period, now) ? from_micros(one.lift + one.others) : 0;
}

Spending SharedSpending::total(const Spending& counted, std::int64_t now) const {
    return {counted.day + beyond(BudgetPeriod::day, now),
            counted.month + beyond(BudgetPeriod::month, now)};
}

double SharedSpending::others_under_way(std::int64_t now) const {
    MicroDollars most = 0;  // both periods are told the same
    for (const Period& one : periods_) {
        if (one.heard && now - *one.heard < kUnderWaySeconds && now >= *one.heard) {
            most = std::max(most, one.others_under_way);
        }
    }
    return from_micros(most);
}

}  // namespace weir::policy
