// Once a second: the log hears of budgets that are warned of, spent or renewed, and instances that
// share a store hear of each other's spending.
#pragma once

#include "gateway/client_budgets.h"
#include "net/loop.h"
#include "net/timer_wheel.h"
#include "shared/spendings.h"

#include <string>

namespace weir::gateway {

/// On its loop, from start() on.
class BudgetBeat {
public:
    /// `others` null: this instance counts alone. `instance`: its name in the store.
    BudgetBeat(net::Loop& loop, ClientBudgets& budgets, shared::Spendings* others,
               std::string instance);
    BudgetBeat(const BudgetBeat&) = delete;
    BudgetBeat& operator=(const BudgetBeat&) = delete;

    /// What has been spent, at once.
    void tell_others();

private:
    void beat();

    ClientBudgets& budgets_;
    shared::Spendings* others_;
    std::string instance_;
    net::Timer timer_;
};

}  // namespace weir::gateway
