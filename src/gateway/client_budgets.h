// The budgets of clients: what is spent here and elsewhere, what calls under way may cost, and what
// the log is told of it.
#pragma once

#include "policy/budget.h"
#include "policy/shared_spending.h"

#include <weir/config.h>
#include <weir/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::gateway {

/// Thread-safe. Of clients without a budget it knows nothing, so its size is that of the
/// configuration.
class ClientBudgets {
    struct Account;

public:
    /// What calls of this instance that have ended have cost a client.
    using Counted = std::function<policy::Spending(std::string_view client, std::int64_t now)>;

    ClientBudgets(Counted counted, LogSink log);

    /// Sets the clients that have a budget. Spending that the ledger does not have (calls under way
    /// and estimates) is kept for the month, also of clients that have no budget any more: a reload
    /// may bring it back.
    void configure(const std::vector<ClientConfig>& clients, std::int64_t now);

    /// Links a call to its client's budget, and holds the call's expected cost from admission until
    /// its bill is in the ledger.
    class Hold {
    public:
        Hold() = default;
        ~Hold() { release(); }
        Hold(Hold&& from) noexcept
            : account_(std::move(from.account_)), amount_(std::exchange(from.amount_, 0)) {}
        Hold& operator=(Hold&& from) noexcept;
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;

        bool held() const { return account_ != nullptr; }
        void set(double dollars);
        void release();

        // The rest requires held().
        /// Output tokens expected from this model, at most `most`.
        std::uint64_t expected_output(std::string_view model, std::uint64_t most) const;
        /// Adds the estimated cost of an attempt that ended without reporting tokens.
        void estimate(double dollars, std::int64_t now) const;

    private:
        friend class ClientBudgets;
        std::shared_ptr<Account> account_;
        policy::MicroDollars amount_ = 0;
    };

    /// Holds no money yet. held() is false if the client has no budget, or a reload removed it.
    Hold hold_of(std::string_view client) const;

    struct Admission {
        policy::BudgetVerdict verdict = policy::BudgetVerdict::go_on;
        std::optional<policy::BudgetStanding> standing;  ///< before this call
    };
    /// Checks the budget and holds `may_cost` dollars under one lock, so that concurrent calls
    /// cannot overspend together. `hold` must be held; a refusal releases it. With `enforced` false
    /// no call is refused.
    Admission admit(Hold& hold, const BudgetConfig& budget, bool enforced, double may_cost,
                    std::int64_t now) const;

    /// The call has ended. `priced` false: some of its tokens have no price, which is logged once a
    /// client.
    void ended(const Hold& hold, std::string_view model, std::uint64_t output, bool priced) const;

    std::vector<policy::BudgetStatus> status(std::int64_t now) const;
    /// Logs what has come to another state since the last time: of `most` clients, in turn. One
    /// thread's.
    void look(std::size_t most, std::int64_t now);

    struct Report {
        std::string client;
        std::vector<policy::SpendingReport> periods;
    };
    /// For the other instances: of `most` clients, in turn.
    std::vector<Report> reports(std::size_t most, std::int64_t now);
    void heard(std::string_view client, const policy::SpendingAnswer& answer, std::int64_t now);

private:
    using Accounts = std::map<std::string, std::shared_ptr<Account>, std::less<>>;

    std::shared_ptr<Account> find(std::string_view client) const;
    std::vector<std::shared_ptr<Account>> next(std::string& last, std::size_t most) const;
    policy::Spending counted(const Account& account, std::int64_t now) const;
    policy::BudgetStatus status_of(Account& account, std::int64_t now) const;
    void tell(std::optional<policy::BudgetStanding>& told,
              const std::optional<policy::BudgetStanding>& standing,
              const policy::BudgetStatus& of) const;

    Counted counted_;
    LogSink log_;
    mutable std::mutex mutex_;  // over accounts_; an account's own is taken without it
    Accounts accounts_;
    Accounts former_;                          // without a budget now
    std::string last_looked_, last_reported_;  // of one thread alone
};

}  // namespace weir::gateway
