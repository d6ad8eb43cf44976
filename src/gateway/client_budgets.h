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

    /// What a call under way may cost, from its admission until its bill is in the ledger.
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

    private:
        friend class ClientBudgets;
        std::shared_ptr<Account> account_;
        policy::MicroDollars amount_ = 0;
    };

    struct Admission {
        policy::BudgetVerdict verdict = policy::BudgetVerdict::go_on;
        std::optional<policy::BudgetStanding> standing;  ///< before this call
        Hold hold;                                       ///< none where it is refused
    };
    /// `client` has a budget. `enforced` false: it is not refused, whatever is spent. The hold is
    /// to be set to what the call may cost before anything else is waited for.
    Admission admit(const ClientConfig& client, bool enforced, std::int64_t now);

    /// Tokens of output that a call of a client to a model is expected to have, `most` at most.
    std::uint64_t expected_output(std::string_view client, std::string_view model,
                                  std::uint64_t most) const;
    /// What a call may have cost that was sent and ended without telling its tokens.
    void estimate(std::string_view client, double dollars, std::int64_t now);
    /// A call of a client has ended. `priced` false: some of its tokens have no price, which is
    /// logged once a client.
    void ended(std::string_view client, std::string_view model, std::uint64_t output, bool priced);

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
