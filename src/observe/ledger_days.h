// The ledger's days: sums by client, model, Region, account and tag. Pure: the day is an argument.
#pragma once

#include "observe/costs.h"
#include "observe/labels.h"

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::observe {

struct LedgerLimits {
    std::size_t days = 62;     ///< that have calls; the earliest go first
    std::size_t tags = 200;    ///< values a day; more are `other`
    std::size_t keys = 4'000;  ///< rows a day; more are one row a client
    /// Rows; beyond, the earliest days lose their tags, and if that is not enough all names but the
    /// client's.
    std::size_t all = 100'000;
};

/// Orders rows by their names, owned or not.
struct LessNames {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
        for (std::size_t i = 0; i < kCostNames.size(); ++i) {
            if (const auto order = std::string_view(a[i]).compare(std::string_view(b[i]))) {
                return order < 0;
            }
        }
        return false;
    }
};
using LedgerRows = std::map<OwnCostNames, Costs, LessNames>;

/// One day. What a client has brought, names and rows, is at most half of what is left to all: one
/// client cannot use up the tags or rows of the others.
class LedgerDay {
public:
    void add(const CostNames& names, const Costs& costs, const LedgerLimits& limits);
    /// As it was in a file: takes every row.
    void put(const OwnCostNames& names, const Costs& costs);
    /// Adds up rows that differ in what is not `kept` alone; that becomes `other`.
    void fold(std::initializer_list<CostName> kept);

    std::size_t size() const { return rows_.size(); }
    const LedgerRows& rows() const { return rows_; }

private:
    struct Brought {
        std::size_t tags = 0, rows = 0;
    };
    std::string_view tag_of(const CostNames& names, Brought& by, const LedgerLimits& limits);

    LedgerRows rows_;
    std::set<std::string, std::less<>> tags_;
    std::map<std::string, Brought, std::less<>> brought_;  // by client
};

using LedgerDays = std::map<Day, std::shared_ptr<const LedgerDay>>;

/// All days that are kept. A copy of days() is cheap and stays as it is.
class Ledger {
public:
    explicit Ledger(LedgerLimits limits) : limits_(limits) {}

    void add(Day day, const CostNames& names, const Costs& costs);
    void limit(const LedgerLimits& limits);
    /// Takes what a file had, in place of what is here.
    void take(const LedgerDays& days);
    LedgerDays days();

private:
    struct Kept {
        std::shared_ptr<LedgerDay> rows = {};
        bool shared = false;  // somebody may be reading it: changed in a copy
    };
    LedgerDay& mine(Day day);
    void make_room();

    LedgerLimits limits_;
    std::map<Day, Kept> days_;
};

/// Which names calls are counted under: configured clients, and of all other names those that have
/// been used with success, kMaxLabelValues at most. Not thread-safe.
class LedgerNames {
public:
    void configure(const std::vector<std::string>& clients, std::vector<std::string> models);
    /// Views live until the next configure().
    CostNames of(const CostNames& names, bool answered);

private:
    std::set<std::string, std::less<>> clients_;
    LabelValues other_clients_, models_, regions_;
};

struct CostRow {
    std::vector<std::string> names;  ///< as asked
    Costs costs;
};

/// A column to group by: a name of the call, or the day.
struct CostGroup {
    bool day = false;
    CostName name = CostName::client;
};
/// client, model, region, account, tag, day.
bool parse_group(std::string_view text, CostGroup& group);
std::string_view to_string(const CostGroup& group);

/// Sums of the days from `from` to `to`, both included, the most expensive first; by day: in their
/// order.
std::vector<CostRow> rows_of(const LedgerDays& days, Day from, Day to,
                             const std::vector<CostGroup>& by);

}  // namespace weir::observe
