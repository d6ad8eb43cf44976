#include "gateway/client_budgets.h"

#include <algorithm>
#include <limits>

namespace weir::gateway {

/// One client's.
struct ClientBudgets::Account {
    explicit Account(std::string client) : name(std::move(client)) {}

    const std::string name;
    std::mutex mutex;  // over all below; the ledger's is taken inside
    BudgetConfig config;
    policy::MicroDollars under_way = 0;
    policy::SharedSpending shared;
    bool heard = false;  // from other instances, or that there are none
    policy::OutputMeans outputs;
    policy::Estimated estimated;
    bool told_unpriced = false;
    std::optional<policy::BudgetStanding> told_day, told_month;  // the looking thread's own

    double may_cost(std::int64_t now) const {
        return policy::from_micros(under_way) + shared.others_under_way(now);
    }
};

ClientBudgets::ClientBudgets(Counted counted, LogSink log)
    : counted_(std::move(counted)), log_(std::move(log)) {}

void ClientBudgets::configure(const std::vector<ClientConfig>& clients, std::int64_t now) {
    const std::lock_guard lock(mutex_);
    Accounts known = std::move(accounts_);
    known.merge(former_);
    accounts_.clear();
    for (const ClientConfig& client : clients) {
        if (!client.budget) {
            continue;
        }
        std::shared_ptr<Account> account;
        if (auto kept = known.extract(client.name)) {
            account = std::move(kept.mapped());
            const std::lock_guard own(account->mutex);
            account->config = *client.budget;
        } else {
            account = std::make_shared<Account>(client.name);
            account->config = *client.budget;
            account->shared.begin(counted(*account, now), now);
        }
        accounts_.emplace(client.name, std::move(account));
    }
    std::erase_if(known, [now](const auto& entry) {
        Account& account = *entry.second;
        const std::lock_guard own(account.mutex);
        return account.under_way == 0 && account.estimated.of(now).month <= 0;
    });
    former_ = std::move(known);
}

ClientBudgets::Hold& ClientBudgets::Hold::operator=(Hold&& from) noexcept {
    if (this != &from) {
        release();
        account_ = std::move(from.account_);
        amount_ = std::exchange(from.amount_, 0);
    }
    return *this;
}

void ClientBudgets::Hold::set(double dollars) {
    if (account_ == nullptr) {
        return;
    }
    const policy::MicroDollars amount = policy::to_micros(dollars);
    const std::lock_guard lock(account_->mutex);
    account_->under_way = account_->under_way - amount_ + amount;
    amount_ = amount;
}

void ClientBudgets::Hold::release() {
    set(0);
    account_.reset();
}

std::uint64_t ClientBudgets::Hold::expected_output(std::string_view model,
                                                   std::uint64_t most) const {
    const std::lock_guard lock(account_->mutex);
    return account_->outputs.expected(model, most);
}

void ClientBudgets::Hold::estimate(double dollars, std::int64_t now) const {
    const std::lock_guard lock(account_->mutex);
    account_->estimated.add(dollars, now);
}

std::shared_ptr<ClientBudgets::Account> ClientBudgets::find(std::string_view client) const {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(client);
    return found == accounts_.end() ? nullptr : found->second;
}

/// Those behind `last` in the order of their names, and around.
std::vector<std::shared_ptr<ClientBudgets::Account>> ClientBudgets::next(std::string& last,
                                                                         std::size_t most) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Account>> out;
    auto at = accounts_.upper_bound(last);
    for (std::size_t left = std::min(most, accounts_.size()); left > 0; --left, ++at) {
        at = at == accounts_.end() ? accounts_.begin() : at;
        out.push_back(at->second);
        last = at->first;
    }
    return out;
}

ClientBudgets::Hold ClientBudgets::hold_of(std::string_view client) const {
    Hold hold;
    hold.account_ = find(client);
    return hold;
}

ClientBudgets::Admission ClientBudgets::admit(Hold& hold, const BudgetConfig& budget, bool enforced,
                                              double may_cost, std::int64_t now) const {
    Admission out;
    Account& account = *hold.account_;
    {
        const std::lock_guard lock(account.mutex);
        const auto spent = account.shared.total(counted(account, now), now);
        out.standing = policy::standing(budget, spent, account.may_cost(now), now);
        out.verdict =
            enforced ? policy::verdict(budget, out.standing) : policy::BudgetVerdict::go_on;
        if (out.verdict != policy::BudgetVerdict::refuse) {
            hold.amount_ = policy::to_micros(may_cost);
            account.under_way += hold.amount_;
            return out;
        }
    }
    hold.release();
    return out;
}

void ClientBudgets::ended(const Hold& hold, std::string_view model, std::uint64_t output,
                          bool priced) const {
    Account& account = *hold.account_;
    {
        const std::lock_guard lock(account.mutex);
        if (output > 0) {
            account.outputs.saw(model, output);
        }
        if (priced || std::exchange(account.told_unpriced, true)) {
            return;
        }
    }
    if (log_) {
        log_(LogLevel::warn, "budget: client " + account.name + " uses " +
                                 std::string(model.substr(0, 200)) +
                                 ", which has no price, so that its calls count nothing: add it "
                                 "to `prices`");
    }
}

/// At this instance. The account is locked.
policy::Spending ClientBudgets::counted(const Account& account, std::int64_t now) const {
    const policy::Spending billed = counted_(account.name, now);
    const policy::Spending estimated = account.estimated.of(now);
    return {billed.day + estimated.day, billed.month + estimated.month};
}

policy::BudgetStatus ClientBudgets::status_of(Account& account, std::int64_t now) const {
    const std::lock_guard lock(account.mutex);
    const auto spent = account.shared.total(counted(account, now), now);
    policy::BudgetStatus out;
    out.client = account.name;
    out.config = account.config;
    const double may_cost = account.may_cost(now);
    out.day = policy::standing(account.config, policy::BudgetPeriod::day, spent, may_cost, now);
    out.month = policy::standing(account.config, policy::BudgetPeriod::month, spent, may_cost, now);
    out.shared = account.heard;
    return out;
}

std::vector<policy::BudgetStatus> ClientBudgets::status(std::int64_t now) const {
    std::string last;
    std::vector<policy::BudgetStatus> out;
    for (const auto& account : next(last, std::numeric_limits<std::size_t>::max())) {
        out.push_back(status_of(*account, now));
    }
    return out;
}

void ClientBudgets::look(std::size_t most, std::int64_t now) {
    for (const auto& account : next(last_looked_, most)) {
        const policy::BudgetStatus is = status_of(*account, now);
        tell(account->told_day, is.day, is);
        tell(account->told_month, is.month, is);
    }
}

/// What has come of one budget since `told`.
void ClientBudgets::tell(std::optional<policy::BudgetStanding>& told,
                         const std::optional<policy::BudgetStanding>& standing,
                         const policy::BudgetStatus& of) const {
    if (standing && log_) {
        const auto news = policy::budget_news(of.client, of.config, told, *standing);
        const auto state = standing->settled_state(of.config.warn_at);
        if (!news.empty()) {
            log_(state == policy::BudgetState::fine ? LogLevel::info : LogLevel::warn, news);
        }
    }
    told = standing;
}

std::vector<ClientBudgets::Report> ClientBudgets::reports(std::size_t most, std::int64_t now) {
    std::vector<Report> out;
    for (const auto& account : next(last_reported_, most)) {
        const std::lock_guard lock(account->mutex);
        Report report;
        report.client = account->name;
        report.periods = account->shared.reports(account->config, counted(*account, now),
                                                 policy::from_micros(account->under_way), now);
        out.push_back(std::move(report));
    }
    return out;
}

void ClientBudgets::heard(std::string_view client, const policy::SpendingAnswer& answer,
                          std::int64_t now) {
    if (const auto account = find(client)) {
        const std::lock_guard lock(account->mutex);
        account->shared.heard(answer, now);
        account->heard = true;
    }
}

}  // namespace weir::gateway
