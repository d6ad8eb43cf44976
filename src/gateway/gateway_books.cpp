// What this instance shares with others: budgets, and the end of all of it.
#include "gateway/clock.h"
#include "gateway/gateway_impl.h"
#include "gateway/poll_until.h"

namespace weir::gateway {
namespace {

constexpr Duration kFarewellPoll = std::chrono::milliseconds(5);

}  // namespace

/// Behind the ledger, and before the loops run.
void Gateway::Impl::keep_budgets(const Config& config) {
    auto counted = [this](std::string_view client, std::int64_t now) {
        const observe::Spent spent = kept.ledger.spent(client, now);
        return policy::Spending{static_cast<double>(spent.day) / observe::kNanoOfDollar,
                                static_cast<double>(spent.month) / observe::kNanoOfDollar};
    };
    books.budgets = std::make_unique<ClientBudgets>(std::move(counted), options.log);
    books.budgets->configure(config.clients, unix_ms() / 1000);
    books.beat = std::make_unique<BudgetBeat>(
        *loops.front(), *books.budgets, books.kept != nullptr ? &books.kept->spendings() : nullptr,
        kept.ledger.name());
}

/// What the other instances leave to this one they have back at once, if the store answers.
void Gateway::Impl::leave_books() {
    if (books.kept == nullptr) {
        return;
    }
    loops.front()->post([this] {
        books.beat->tell_others();
        gate->leave();
        shadow->leave();
    });
    poll_until([&] { return gate->left() && shadow->left(); }, kFarewellPoll, kLongestFarewell);
}

}  // namespace weir::gateway
