#include "observe/ledger_days.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <utility>

namespace weir::observe {
namespace {

constexpr auto at(CostName name) {
    return static_cast<std::size_t>(name);
}

std::chrono::year_month_day date_of(Day day) {
    // Years 0 to 9999, what the text can hold.
    constexpr Day kFirst = -719'528;
    constexpr Day kLast = 2'932'896;
    return std::chrono::sys_days(std::chrono::days(std::clamp(day, kFirst, kLast)));
}

Day day_number(const std::chrono::year_month_day& date) {
    return std::chrono::sys_days(date).time_since_epoch().count();
}

}  // namespace

std::string dollars_text(NanoDollars cost) {
    constexpr NanoDollars kNano = 1'000'000'000;
    constexpr std::size_t kDigits = 9;
    constexpr std::size_t kLeast = 2;
    std::string part = std::to_string(cost % kNano);
    part.insert(0, kDigits - part.size(), '0');
    while (part.size() > kLeast && part.back() == '0') {
        part.pop_back();
    }
    return std::to_string(cost / kNano) + "." + part;
}

std::string day_text(Day day) {
    const auto date = date_of(day);
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
    return text.data();
}

Day parse_day(std::string_view text) {
    const auto number = [&](std::size_t from, std::size_t size) {
        int value = -1;
        const char* const end = text.data() + from + size;
        const auto [stop, error] = std::from_chars(text.data() + from, end, value);
        return error == std::errc() && stop == end ? value : -1;
    };
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') {
        return -1;
    }
    const int year = number(0, 4);
    const int month = number(5, 2);
    const int day = number(8, 2);
    if (year < 1970 || month < 1 || day < 1) {
        return -1;
    }
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    return date.ok() ? day_number(date) : -1;
}

Day month_start(Day day) {
    const auto date = date_of(day);
    return day_number(date.year() / date.month() / std::chrono::day(1));
}

std::string_view LedgerDay::tag_of(const CostNames& names, Brought& by,
                                   const LedgerLimits& limits) {
    const std::string_view tag = names[at(CostName::tag)];
    if (tag.empty() || tags_.contains(tag)) {
        return tag;
    }
    if (tags_.size() >= limits.tags ||
        by.tags >= std::max<std::size_t>(1, limits.tags - tags_.size())) {
        return kOther;
    }
    ++by.tags;
    return *tags_.emplace(tag).first;
}

void LedgerDay::add(const CostNames& names, const Costs& costs, const LedgerLimits& limits) {
    const std::string_view client = names[at(CostName::client)];
    auto by = brought_.find(client);
    if (by == brought_.end()) {
        by = brought_.emplace(client, Brought()).first;
    }
    CostNames row = names;
    row[at(CostName::tag)] = tag_of(names, by->second, limits);
    auto found = rows_.find(row);
    if (found == rows_.end()) {
        const std::size_t left = limits.keys - std::min(limits.keys, rows_.size());
        if (by->second.rows >= left) {
            row = {client, kOther, kOther, kOther, kOther};
            found = rows_.find(row);
        } else {
            ++by->second.rows;
        }
    }
    if (found == rows_.end()) {
        OwnCostNames own;
        std::ranges::copy(row, own.begin());
        found = rows_.emplace(std::move(own), Costs()).first;
    }
    found->second.add(costs);
}

void LedgerDay::put(const OwnCostNames& names, const Costs& costs) {
    const std::string& tag = names[at(CostName::tag)];
    Brought& by = brought_[names[at(CostName::client)]];
    if (!tag.empty() && tag != kOther && tags_.insert(tag).second) {
        ++by.tags;
    }
    const auto [row, added] = rows_.try_emplace(names);
    by.rows += added ? 1 : 0;
    row->second.add(costs);
}

void LedgerDay::fold(std::initializer_list<CostName> kept) {
    LedgerRows folded;
    for (const auto& [names, costs] : rows_) {
        OwnCostNames row;
        row.fill(std::string(kOther));
        for (const CostName name : kept) {
            row[at(name)] = names[at(name)];
        }
        folded[std::move(row)].add(costs);
    }
    rows_ = std::move(folded);
    tags_.clear();
}

LedgerDay& Ledger::mine(Day day) {
    if (!days_.contains(day)) {
        days_[day].rows = std::make_shared<LedgerDay>();
        make_room();
    }
    Kept& kept = days_[day];
    if (kept.shared) {
        kept = {.rows = std::make_shared<LedgerDay>(*kept.rows)};
    }
    return *kept.rows;
}

/// Days are counted, not compared with today: a clock that is ahead for a while costs none.
void Ledger::make_room() {
    while (days_.size() > std::max<std::size_t>(1, limits_.days)) {
        days_.erase(days_.begin());
    }
    std::size_t all = 0;
    for (const auto& [day, kept] : days_) {
        all += kept.rows->size();
    }
    using enum CostName;
    for (const auto kept : {std::initializer_list<CostName>{client, model, region, account},
                            std::initializer_list<CostName>{client}}) {
        for (auto one = days_.begin(); all > limits_.all && std::next(one) != days_.end(); ++one) {
            auto folded = std::make_shared<LedgerDay>(*one->second.rows);
            folded->fold(kept);
            all -= one->second.rows->size() - folded->size();
            one->second = {.rows = std::move(folded)};
        }
    }
}

void Ledger::add(Day day, const CostNames& names, const Costs& costs) {
    if (days_.size() >= limits_.days && !days_.empty() && day < days_.begin()->first) {
        return;  // earlier than all that is kept
    }
    mine(day).add(names, costs, limits_);
}

void Ledger::limit(const LedgerLimits& limits) {
    limits_ = limits;
    make_room();
}

void Ledger::take(const LedgerDays& days) {
    days_.clear();
    for (const auto& [day, rows] : days) {
        days_[day].rows = std::make_shared<LedgerDay>(*rows);
    }
    make_room();
}

LedgerDays Ledger::days() {
    LedgerDays days;
    for (auto& [day, kept] : days_) {
        kept.shared = true;
        days.emplace(day, kept.rows);
    }
    return days;
}

void LedgerNames::configure(const std::vector<std::string>& clients,
                            std::vector<std::string> models) {
    clients_ = std::set<std::string, std::less<>>(clients.begin(), clients.end());
    for (std::string& model : models) {
        model = std::string(without_arn(model));
    }
    models_.configure(std::move(models));
}

CostNames LedgerNames::of(const CostNames& names, bool answered) {
    CostNames own = names;
    std::string_view& client = own[at(CostName::client)];
    if (client.empty()) {
        client = kNobody;
    } else if (const auto known = clients_.find(client); known != clients_.end()) {
        client = *known;
    } else {
        client = other_clients_.label(client, answered);
    }
    std::string_view& model = own[at(CostName::model)];
    model = models_.label(without_arn(model), answered);
    std::string_view& region = own[at(CostName::region)];
    region = regions_.label(region, answered);
    return own;
}

bool parse_group(std::string_view text, CostGroup& group) {
    const auto found = std::ranges::find(kCostNames, text);
    group.day = text == "day";
    if (found != kCostNames.end()) {
        group.name = static_cast<CostName>(found - kCostNames.begin());
    }
    return group.day || found != kCostNames.end();
}

std::string_view to_string(const CostGroup& group) {
    return group.day ? "day" : kCostNames[at(group.name)];
}

std::vector<CostRow> rows_of(const LedgerDays& days, Day from, Day to,
                             const std::vector<CostGroup>& by) {
    std::map<std::vector<std::string>, Costs> sums;
    for (auto day = days.lower_bound(from); day != days.end() && day->first <= to; ++day) {
        for (const auto& [names, costs] : day->second->rows()) {
            std::vector<std::string> key;
            key.reserve(by.size());
            for (const CostGroup& group : by) {
                key.push_back(group.day ? day_text(day->first) : names[at(group.name)]);
            }
            sums[std::move(key)].add(costs);
        }
    }
    std::vector<CostRow> rows;
    rows.reserve(sums.size());
    for (auto& [names, costs] : sums) {
        rows.push_back({names, costs});
    }
    const bool in_order = !by.empty() && by.front().day;
    if (!in_order) {
        std::ranges::sort(rows, [](const CostRow& a, const CostRow& b) {
            return a.costs.cost != b.costs.cost           ? a.costs.cost > b.costs.cost
                   : a.costs.requests != b.costs.requests ? a.costs.requests > b.costs.requests
                                                          : a.names < b.names;
        });
    }
    return rows;
}

}  // namespace weir::observe
