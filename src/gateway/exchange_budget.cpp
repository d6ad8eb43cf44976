// What a call may cost its client, and what becomes of it once the client's money is spent.
#include "gateway/bill.h"
#include "gateway/call_costs.h"
#include "gateway/clock.h"
#include "gateway/exchange.h"
#include "gateway/life_record.h"

#include <algorithm>
#include <utility>

namespace weir::gateway {
namespace {

using bedrock::Operation;
using policy::BudgetState;
using policy::BudgetVerdict;

/// Of those that are passed on: they run a model or are charged by themselves. Their cost is not
/// known.
bool costs_money(Operation operation) {
    switch (operation) {
        case Operation::rerank:
        case Operation::start_async_invoke:
        case Operation::create_invocation_job:
        case Operation::apply_guardrail:
            return true;
        default:
            return false;
    }
}

std::string_view told_as(BudgetState state) {
    return state == BudgetState::fine   ? ""
           : state == BudgetState::held ? to_string(BudgetState::warned)
                                        : to_string(state);
}

}  // namespace

/// Dollars that the attempt at `at` is expected to cost, and what was paid for already.
double Exchange::expected_cost(const Target& at) const {
    const Config& config = request_.snapshot->config;
    Usage usage;
    if (cut_short_) {
        usage = cut_short_->usage;
    }
    usage.input += request_.facts.input_estimate;
    if (request_.says_text) {
        const std::uint64_t most =
            request_.facts.max_output.value_or(config.models.facts(at.model).max_output);
        usage.output += std::max(
            record_.usage.output,  // of an answer that has broken off
            worker_.shared.budgets->expected_output(request_.identity.name, at.model, most));
    }
    return static_cast<double>(bill_of(config, at, asked_tier(request_), usage).cost) /
           observe::kNanoOfDollar;
}

/// Nullopt: the call goes on, in the class that is left to it. `asked` null: it is passed on.
std::optional<ErrorAnswer> Exchange::within_budget(Call* asked) {
    const ClientConfig* client = request_.identity.client;
    ClientBudgets* budgets = worker_.shared.budgets;
    if (budgets == nullptr || client == nullptr || !client->budget ||
        (asked == nullptr && !costs_money(request_.operation()))) {
        return std::nullopt;
    }
    const bool enforced = asked == nullptr ? request_.snapshot->config.mode != Mode::observe
                                           : !request_.snapshot->observes(request_.model);
    Target first;
    first.region = request_.home_region;
    first.model = request_.model;
    const double cost = asked == nullptr ? 0 : expected_cost(first);
    const std::int64_t wall = unix_ms() / 1000;
    auto admission = budgets->admit(*client, cost, enforced, wall);
    budget_.hold = std::move(admission.hold);
    if (!admission.standing) {
        return std::nullopt;
    }
    record_.told.budget = told_as(admission.standing->state);
    if (admission.verdict == BudgetVerdict::lower && asked != nullptr) {
        asked->priority = request_.directives.priority = Priority::batch;
    }
    if (admission.verdict != BudgetVerdict::refuse) {
        return std::nullopt;
    }
    Refusal refusal;
    refusal.reason = RefusalReason::budget;
    refusal.retry_after = policy::retry_after(*admission.standing, wall);
    record_.trail.add(refusal_step(record_, refusal, now()));
    return budget_answer(*admission.standing, wall);
}

/// Its bill is in the ledger, if there is one: an answer that told no tokens, or that the client
/// did not wait for, counts as much as was expected.
void Exchange::settle_budget() {
    if (!budget_.hold.held()) {
        return;
    }
    ClientBudgets& budgets = *worker_.shared.budgets;
    const std::string_view client = request_.identity.name;
    const Usage& usage = record_.usage;
    if (request_.is_inference() && usage.known) {
        budgets.ended(client, record_.at.model, usage.output, record_.costs.unpriced_tokens == 0);
    } else if (request_.is_inference() && (record_.begun || budget_.cut_off)) {
        budgets.estimate(client, expected_cost(record_.at), unix_ms() / 1000);
    }
    budget_.hold.release();
}

}  // namespace weir::gateway
