// Tokens and money of all calls since the ledger began. Thread-safe: a worker that adds takes its
// own shard's mutex, and the money that its client has spent is known at once.
#pragma once

#include "observe/costs.h"
#include "observe/ledger_days.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::observe {

/// What a client has spent on the UTC day and in the UTC month of a moment, as far as prices are
/// known, by the calls that have ended at this instance.
struct Spent {
    NanoDollars day = 0;
    NanoDollars month = 0;

    bool operator==(const Spent&) const = default;
};

class LedgerBook {
public:
    /// `clients`, `models`: those configured, which are always counted under their own names.
    LedgerBook(const LedgerLimits& limits, const std::vector<std::string>& clients,
               std::vector<std::string> models);
    ~LedgerBook();
    LedgerBook(const LedgerBook&) = delete;
    LedgerBook& operator=(const LedgerBook&) = delete;

    /// One call that has ended. `answered`: its names may be learned.
    void add(const CostNames& names, const Costs& costs, bool answered, std::int64_t unix_seconds);
    /// Of a configured client, or of one that is counted under its own name; else nothing. Takes a
    /// mutex for a look into a table.
    Spent spent(std::string_view client, std::int64_t unix_seconds) const;

    /// After a reload.
    void configure(const LedgerLimits& limits, const std::vector<std::string>& clients,
                   std::vector<std::string> models);
    /// Before the first add().
    void take(const LedgerDays& days);
    /// As other instances know this ledger, over restarts; before the first add() as well.
    void set_name(std::string name);
    const std::string& name() const;
    /// All that has been added.
    LedgerDays days();
    /// Grows with every add().
    std::uint64_t changes() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::observe
