// What a call may cost its client, and what becomes of it once the client's money is spent.
#include "gateway/bill.h"
#include "gateway/call_costs.h"
#include "gateway/clock.h"
#include "gateway/exchange.h"
#include "gateway/life_record.h"
#include "policy/eligibility.h"

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

double in_dollars(observe::NanoDollars cost) {
    return static_cast<double>(cost) / observe::kNanoOfDollar;
}

std::string_view told_as(BudgetState state) {
    return state == BudgetState::fine   ? ""
           : state == BudgetState::held ? to_string(BudgetState::warned)
                                        : to_string(state);
}

}  // namespace

/// Dollars that an attempt at `at` is expected to cost; `seen`: tokens of output that have come.
double Exchange::expected_cost(const Target& at, std::uint64_t seen) const {
    const Config& config = request_.snapshot->config;
    Usage usage;
    usage.input = request_.facts.input_estimate;
    if (request_.says_text) {
        const std::uint64_t most = request_.facts.max_output
                                       ? *request_.facts.max_output
                                       : config.models.facts(at.model).max_output;
        usage.output = std::max(seen, budget_.hold.expected_output(at.model, most));
    }
    return in_dollars(presumed_bill(config, at, asked_tier(request_), usage).cost);
}

/// The dearest of the places that it may go to: nobody knows yet which it will be.
double Exchange::may_cost(const Call& asked) const {
    policy::PathKey key;
    key.model = asked.model;
    key.home_region = asked.home_region;
    key.home_account = asked.home_account;
    key.converse = asked.converse;
    key.reach = asked.reach;
    key.client = request_.identity.name;
    double most = 0;
    for (const auto& place : policy::candidates(request_.snapshot->config, key).usable) {
        most = std::max(most, expected_cost(place.target));
    }
    return most;
}

/// The expected cost at admission, before the engine has chosen a target. Without a route the
/// target is known: `held_for` lets the first attempt skip a second price lookup.
double Exchange::cost_at_first(const Call& asked) {
    if (policy::route_of(request_.snapshot->config, asked.model) != nullptr) {
        return may_cost(asked);
    }
    Target& alone = budget_.held_for.emplace();
    alone.region = asked.home_region;
    alone.model = asked.model;
    alone.account = asked.home_account;
    return expected_cost(alone);
}

/// Dollars for the attempts so far.
double Exchange::paid_for() const {
    const Config& config = request_.snapshot->config;
    const auto cost = [&](const Target& at, const Usage& usage) {
        return usage.known ? in_dollars(presumed_bill(config, at, asked_tier(request_), usage).cost)
                           : expected_cost(at, usage.output);
    };
    double all = cut_short_ ? cost(cut_short_->at, cut_short_->answer.usage) : 0;
    for (const PaidAnswer& before : record_.answers_before) {
        all += cost(before.at, before.usage);
    }
    return all + (record_.maybe_served ? cost(record_.at, record_.usage) : 0);
}

/// Nullopt: the call goes on, in the class that is left to it. `asked` null: it is passed on.
std::optional<ErrorAnswer> Exchange::within_budget(Call* asked) {
    const ClientConfig* client = request_.identity.client;
    ClientBudgets* budgets = worker_.shared.budgets;
    if (budgets == nullptr || client == nullptr || !client->budget ||
        (asked == nullptr && !costs_money(request_.operation()))) {
        return std::nullopt;
    }
    budget_.hold = budgets->hold_of(client->name);
    budget_.asked = asked;
    if (!budget_.hold.held()) {
        return std::nullopt;  // a reload has taken the budget away meanwhile
    }
    const bool enforced = asked == nullptr ? request_.snapshot->config.mode != Mode::observe
                                           : !request_.snapshot->observes(request_.model);
    const std::int64_t wall = unix_ms() / 1000;
    const auto admission = budgets->admit(budget_.hold, *client->budget, enforced,
                                          asked == nullptr ? 0 : cost_at_first(*asked), wall);
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

/// What it may have cost already, and the attempt that comes next; null: nobody knows yet where.
void Exchange::hold_for(const Target* next) {
    if (!budget_.hold.held() || budget_.asked == nullptr) {
        return;
    }
    if (budget_.held_for && (next == nullptr || *budget_.held_for == *next)) {
        if (next != nullptr) {
            budget_.held_for.reset();  // a later attempt costs more on top of this one
        }
        return;
    }
    budget_.held_for.reset();
    const double more = next != nullptr ? expected_cost(*next) : may_cost(*budget_.asked);
    budget_.hold.set(paid_for() + more);
}

/// Its bills are in the ledger, where there are prices. What is not counts as much as was expected:
/// attempts that told no tokens, or that nobody waited for; and tokens of a tier without a price.
void Exchange::settle_budget() {
    if (!budget_.hold.held()) {
        return;
    }
    if (request_.is_inference()) {
        for (const PaidAnswer& before : record_.answers_before) {
            charge(before.at, before.usage, before.costs);
        }
        if (record_.maybe_served) {
            charge(record_.at, record_.usage, record_.costs);
        }
    }
    budget_.hold.release();
}

/// `billed`: what the ledger has.
void Exchange::charge(const Target& at, const Usage& usage, const observe::Costs& billed) {
    double more = usage.known ? 0 : expected_cost(at, usage.output);
    bool priced = billed.unpriced_tokens == 0;
    if (usage.known && !priced) {
        const Bill bill = presumed_bill(request_.snapshot->config, at, asked_tier(request_), usage);
        priced = bill.unpriced_tokens == 0;
        more = bill.cost > billed.cost ? in_dollars(bill.cost - billed.cost) : 0;
    }
    if (usage.known) {
        worker_.shared.budgets->ended(budget_.hold, at.model, usage.output, priced);
    }
    if (more > 0) {
        budget_.hold.estimate(more, unix_ms() / 1000);
    }
}

}  // namespace weir::gateway
