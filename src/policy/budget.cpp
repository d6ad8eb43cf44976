#include "policy/budget.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>

namespace weir::policy {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::months;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year_month_day;

/// Calls under way end within seconds: then the rest of the budget is known again.
constexpr Duration kHeldPause = seconds(2);
/// Before any answer has been seen.
constexpr double kFirstOutput = 1000;
/// Weight of one answer: a change of habit counts half after eleven.
constexpr double kWeight = 1.0 / 16;
constexpr std::size_t kMostModels = 64;

year_month_day date_of(std::int64_t now) {
    return floor<days>(sys_seconds(seconds(now)));
}

std::int64_t in_seconds(sys_days day) {
    return seconds(day.time_since_epoch()).count();
}

/// At least a millionth of a dollar: a budget is above 0.
MicroDollars limit_of(double budget) {
    return std::max<MicroDollars>(to_micros(budget), 1);
}

bool reaches(double amount, double budget) {
    return to_micros(amount) >= limit_of(budget);
}

std::optional<double> budget_of(const BudgetConfig& config, BudgetPeriod period) {
    return period == BudgetPeriod::day ? config.per_day : config.per_month;
}

std::string percent_text(double share) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.0f %%", std::floor(share * 100 + 1e-9));
    return text.data();
}

std::string what_follows(const BudgetConfig& config, const BudgetStanding& now) {
    const std::string until = " until " + utc_text(now.renews_at);
    switch (config.then) {
        case BudgetEnd::warn:
            return "its calls go on";
        case BudgetEnd::lower:
            return "its calls go on in the class batch" + until;
        case BudgetEnd::refuse:
            break;
    }
    return "its calls are refused" + until;
}

}  // namespace

MicroDollars to_micros(double dollars) {
    constexpr auto kMost = static_cast<double>(kMostMicroDollars);
    return static_cast<MicroDollars>(std::clamp(dollars * 1e6, 0.0, kMost) + 0.5);
}

double from_micros(MicroDollars amount) {
    return static_cast<double>(amount) / 1e6;
}

std::string_view to_string(BudgetPeriod period) {
    return period == BudgetPeriod::day ? "day" : "month";
}

std::string_view to_string(BudgetState state) {
    switch (state) {
        case BudgetState::fine:
            return "fine";
        case BudgetState::warned:
            return "warned";
        case BudgetState::held:
            return "held";
        case BudgetState::spent:
            break;
    }
    return "spent";
}

std::string_view to_string(BudgetEnd then) {
    switch (then) {
        case BudgetEnd::warn:
            return "warn";
        case BudgetEnd::lower:
            return "lower";
        case BudgetEnd::refuse:
            break;
    }
    return "refuse";
}

BudgetState BudgetStanding::settled_state(double warn_at) const {
    if (reaches(spent, budget)) {
        return BudgetState::spent;
    }
    return reaches(spent, budget * warn_at) ? BudgetState::warned : BudgetState::fine;
}

std::optional<BudgetStanding> standing(const BudgetConfig& config, BudgetPeriod period,
                                       const Spending& spent, double under_way, std::int64_t now) {
    const auto budget = budget_of(config, period);
    if (!budget) {
        return std::nullopt;
    }
    BudgetStanding out;
    out.period = period;
    out.budget = *budget;
    out.spent = period == BudgetPeriod::day ? spent.day : spent.month;
    out.under_way = under_way;
    out.renews_at = renewal(period, now);
    out.state = out.settled_state(config.warn_at);
    if (out.state != BudgetState::spent && reaches(out.spent + under_way, out.budget)) {
        out.state = BudgetState::held;
    }
    return out;
}

std::optional<BudgetStanding> standing(const BudgetConfig& config, const Spending& spent,
                                       double under_way, std::int64_t now) {
    const auto day = standing(config, BudgetPeriod::day, spent, under_way, now);
    const auto month = standing(config, BudgetPeriod::month, spent, under_way, now);
    if (!day || !month) {
        return day ? day : month;
    }
    if (day->state != month->state) {
        return day->state > month->state ? day : month;
    }
    // Both spent: the later renewal is the one to wait for.
    return month->state == BudgetState::spent ||
                   month->spent / month->budget > day->spent / day->budget
               ? month
               : day;
}

Duration retry_after(const BudgetStanding& standing, std::int64_t now) {
    return standing.state == BudgetState::spent
               ? Duration(seconds(std::max<std::int64_t>(standing.renews_at - now, 1)))
               : kHeldPause;
}

BudgetVerdict verdict(const BudgetConfig& config, const std::optional<BudgetStanding>& standing) {
    if (!standing || standing->state < BudgetState::held || config.then == BudgetEnd::warn) {
        return BudgetVerdict::go_on;
    }
    return config.then == BudgetEnd::lower ? BudgetVerdict::lower : BudgetVerdict::refuse;
}

std::int64_t period_number(BudgetPeriod period, std::int64_t now) {
    const sys_days day = floor<days>(sys_seconds(seconds(now)));
    if (period == BudgetPeriod::day) {
        return day.time_since_epoch().count();
    }
    const year_month_day date = day;
    const std::int64_t years = static_cast<int>(date.year()) - 1970;
    return years * 12 + static_cast<unsigned>(date.month()) - 1;
}

std::string period_name(BudgetPeriod period, std::int64_t now) {
    const year_month_day date = date_of(now);
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()));
    std::string name(text.data());
    if (period == BudgetPeriod::day) {
        std::snprintf(text.data(), text.size(), "-%02u", static_cast<unsigned>(date.day()));
        name += text.data();
    }
    return name;
}

std::int64_t renewal(BudgetPeriod period, std::int64_t now) {
    const year_month_day date = date_of(now);
    if (period == BudgetPeriod::day) {
        return in_seconds(sys_days(date) + days(1));
    }
    return in_seconds(sys_days((date.year() / date.month() / 1) + months(1)));
}

std::string dollars(double amount) {
    std::array<char, 48> text{};
    const double size = std::abs(amount);
    // Cents, but never a small amount as nothing.
    const int digits = size >= 1 || size == 0 ? 2 : size >= 0.01 ? 4 : 6;
    std::snprintf(text.data(), text.size(), "$%.*f", digits, amount);
    return text.data();
}

std::string utc_text(std::int64_t unix_seconds) {
    const auto of_day = static_cast<unsigned>(
        (sys_seconds(seconds(unix_seconds)) - sys_days(date_of(unix_seconds))).count());
    std::array<char, 32> time{};
    std::snprintf(time.data(), time.size(), " %02u:%02u UTC", of_day / 3600, of_day / 60 % 60);
    return period_name(BudgetPeriod::day, unix_seconds) + time.data();
}

std::string budget_news(std::string_view client, const BudgetConfig& config,
                        const std::optional<BudgetStanding>& before, const BudgetStanding& now) {
    const BudgetState was = before ? before->settled_state(config.warn_at) : BudgetState::fine;
    const BudgetState is = now.settled_state(config.warn_at);
    if (was == is) {
        return {};
    }
    const std::string period(to_string(now.period));
    const std::string head = "budget: client " + std::string(client) + " has spent " +
                             dollars(now.spent) + " of " + dollars(now.budget) + " for the " +
                             period;
    switch (is) {
        case BudgetState::spent:
            return head + ": " + what_follows(config, now);
        case BudgetState::warned:
            return head + " (" + percent_text(now.spent / now.budget) + "); it renews at " +
                   utc_text(now.renews_at);
        default:
            break;
    }
    return before && before->renews_at < now.renews_at
               ? "budget: client " + std::string(client) + " has a new " + period + ": " +
                     dollars(now.budget)
               : head + ", below the warning again";
}

void Estimated::add(double dollars, std::int64_t now) {
    const auto add = [&](Sum& sum, BudgetPeriod period) {
        if (const auto number = period_number(period, now); sum.period != number) {
            sum = {.period = number};
        }
        sum.dollars += dollars;
    };
    add(day_, BudgetPeriod::day);
    add(month_, BudgetPeriod::month);
}

Spending Estimated::of(std::int64_t now) const {
    const auto of = [&](const Sum& sum, BudgetPeriod period) {
        return sum.dollars > 0 && sum.period == period_number(period, now) ? sum.dollars : 0;
    };
    return {of(day_, BudgetPeriod::day), of(month_, BudgetPeriod::month)};
}

void OutputMean::saw(std::uint64_t tokens) {
    const auto value = static_cast<double>(tokens);
    mean_ = any_ ? mean_ + (value - mean_) * kWeight : value;
    any_ = true;
}

std::uint64_t OutputMean::expected(std::uint64_t most) const {
    const double mean = any_ ? mean_ : kFirstOutput;
    return std::min(most, static_cast<std::uint64_t>(std::ceil(std::clamp(mean, 1.0, 1e9))));
}

void OutputMeans::saw(std::string_view model, std::uint64_t tokens) {
    all_.saw(tokens);
    if (const auto found = by_model_.find(model); found != by_model_.end()) {
        found->second.saw(tokens);
    } else if (by_model_.size() < kMostModels) {
        by_model_[std::string(model)].saw(tokens);
    }
}

std::uint64_t OutputMeans::expected(std::string_view model, std::uint64_t most) const {
    const auto found = by_model_.find(model);
    return found == by_model_.end() ? all_.expected(most) : found->second.expected(most);
}

}  // namespace weir::policy
