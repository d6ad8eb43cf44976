#include "gateway/budget_beat.h"

#include "gateway/clock.h"

#include <chrono>
#include <utility>

namespace weir::gateway {
namespace {

constexpr Duration kEvery = std::chrono::seconds(1);
/// Clients a second, so that thousands take the loop no time that calls would miss.
constexpr std::size_t kMost = 500;

}  // namespace

BudgetBeat::BudgetBeat(net::Loop& loop, ClientBudgets& budgets, shared::Spendings* others,
                       std::string instance)
    : budgets_(budgets),
      others_(others),
      instance_(std::move(instance)),
      timer_(loop.wheel(), [](void* self) { static_cast<BudgetBeat*>(self)->beat(); }, this) {
    timer_.set_after(kEvery);
}

void BudgetBeat::beat() {
    timer_.set_after(kEvery);
    budgets_.look(kMost, unix_ms() / 1000);
    tell_others();
}

void BudgetBeat::tell_others() {
    const std::int64_t now = unix_ms() / 1000;
    if (others_ == nullptr) {
        return;
    }
    for (ClientBudgets::Report& report : budgets_.reports(kMost, now)) {
        const std::string client = report.client;
        auto heard = [this, client](const policy::SpendingAnswer& answer) {
            budgets_.heard(client, answer, unix_ms() / 1000);
        };
        others_->exchange(client, instance_, std::move(report.periods), std::move(heard));
    }
}

}  // namespace weir::gateway
