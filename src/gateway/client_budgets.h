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

    /// The clients that have a budget now. What is known of those that had one is kept.
    void configure(const std::vector<ClientConfig>& clients, std::int64_t now);

    /// A call's place in its client's budget, and what it may cost from its admission until its
    /// bill is in the ledger.
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

        // While it is held.
        /// Tokens of output that the call is expected to have from this model, `most` at most.
        std::uint64_t expected_output(std::string_view model, std::uint64_t most) const;
        /// What it may have cost that was sent and ended without telling its tokens.
        void estimate(double dollars, std::int64_t now) const;

    private:
        friend class ClientBudgets;
        std::shared_ptr<Account> account_;
        policy::MicroDollars amount_ = 0;
    };

    /// Of nothing so far; not held(): the client has no budget, or none any more.
    Hold hold_of(std::string_view client) const;

    struct Admission {
        policy::BudgetVerdict verdict = policy::BudgetVerdict::go_on;
        std::optional<policy::BudgetStanding> standing;  ///< before this call
    };
    /// In one step, so that calls at once do not overshoot together: `hold`, which is held, is
    /// `may_cost` dollars from now on, or released where the call is refused. `enforced` false: it
    /// is not refused, whatever is spent.
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
    std::map<std::string, std::shared_ptr<Account>, std::less<>> accounts_;
    std::string last_looked_, last_reported_;  // of one thread alone
};

}  // namespace weir::gateway
