// What attempts hold, from the grant to the end: the one place where pools are reserved from and
// settled.
#include <algorithm>
#include <array>

#include "policy/accounts.h"
#include "policy/class_rules.h"

namespace weir::policy {

namespace {

/// At the target's pool first, then at the client's own limit. By the pool that gave it: after a
/// reload the target may draw on another one.
template <class Act>
void for_each_held(CallRecord& call, Act&& act) {
    for (Reservation* r : {&call.attempt.reservation, &call.attempt.client_reservation}) {
        if (r->pool != nullptr) {
            act(*r);
        }
    }
}

void settle_at(Reservation& held, const TargetState& target, const Usage* usage, Instant now) {
    QuotaPool& pool = *held.pool;
    const Amount as_held(held.tokens, held.output);
    pool.settle(held, usage != nullptr ? settled_cost(target, *usage, pool) : as_held, now);
}

}  // namespace

void Accounts::reserve(CallRecord& call, std::size_t index, Amount amount) {
    TargetState& t = *call.path->targets[index].state;
    const Estimator& e = *t.estimator;
    const double margin =
        static_cast<double>(e.held_input(call.asked.input)) - e.expected_input(call.asked.input);
    call.attempt.index = index;
    call.attempt.target = &t;
    call.attempt.reservation =
        t.pool->hold(amount, static_cast<std::uint64_t>(std::max(0.0, margin)));
    if (call.client->limits) {
        call.attempt.client_reservation = call.client->limits->hold(own_cost(*call.client, amount));
    }
    ++t.in_flight;
    ++t.region->in_flight;
    ++call.client->in_flight;
    ++in_flight_;
    call.attempt.sent_output = max_output(call, t, index);
    call.attempt.right_sized = call.attempt.sent_output < allowed_output(call, t, index);
    t.tally.right_sized += call.attempt.right_sized ? 1 : 0;
    t.estimator->learn_reservation(amount.tokens, call.attempt.sent_output);
}

void Accounts::sent(CallRecord& call, Instant now) {
    call.attempt.sent_at = now;
    for_each_held(call, [&](Reservation& r) { r.pool->sent(r, now); });
}

bool Accounts::accepted(CallRecord& call, Instant now) {
    return call.attempt.reservation.pool->accepted(call.attempt.reservation, now);
}

std::optional<double> Accounts::settle(CallRecord& call, const Usage& usage, Instant now) {
    TargetState& t = *call.attempt.target;
    t.pool->tick(now);
    for_each_held(call,
                  [&](Reservation& r) { settle_at(r, t, usage.known ? &usage : nullptr, now); });
    Estimator& e = *t.estimator;
    const bool closely = e.due(now);
    std::optional<double> share;
    if (usage.known) {
        const Amount actual = settled_cost(t, usage, *t.pool);
        e.learn_usage(call.asked.input, usage, actual.tokens, closely);
        learn_output(call, usage);
        share = share_of(*t.pool, actual);
    }
    e.learn_complete(now - call.attempt.sent_at, call.asked.stream, closely);
    return share;
}

std::optional<double> Accounts::failed(CallRecord& call, const Failure& failure, Random& random,
                                       Instant now) {
    Attempt& attempt = call.attempt;
    TargetState& t = *attempt.target;
    t.pool->tick(now);
    if (call.client->limits) {
        call.client->limits->tick(now);
    }
    const ClassRule& rule = rule_of(failure.cls);
    const Usage* seen = failure.seen ? &*failure.seen : nullptr;
    if (rule.served == Served::whole) {
        for_each_held(call, [&](Reservation& r) { settle_at(r, t, seen, now); });
        return std::nullopt;
    }
    if (may_be_paid(failure)) {
        for_each_held(call, [&](Reservation& r) {
            r.pool->keep(r, seen != nullptr ? settled_cost(t, *seen, *r.pool) : Amount(), now);
        });
        return std::nullopt;
    }
    if (failure.stage == Stage::not_sent || rule.served == Served::not_reached) {
        for_each_held(call, [&](Reservation& r) { r.pool->give_back_all(r, now); });
        return 0;
    }
    if (rule.course == Course::next_turn) {
        Reservation& held = attempt.reservation;
        const auto limit = held.pool->hard_limit();
        if (limit && rule.limit == LimitKind::tokens) {
            const Meter& tokens = held.pool->meter(LimitKind::tokens);
            const std::uint64_t own = std::min(held.tokens, tokens.used());
            t.leavers.refused(tokens.used() - own, own, *limit, tokens.window(), now);
        }
        held.pool->refused(rule.limit, held, failure.retry_after, random, now);
    }
    for_each_held(call, [&](Reservation& r) { r.pool->give_back_tokens(r, now); });
    return 0;
}

std::optional<double> Accounts::left(CallRecord& call, const std::optional<Usage>& seen,
                                     Random& random, Instant now) {
    TargetState& t = *call.attempt.target;
    const bool untouched = call.state == CallState::granted;
    if (untouched || !t.leavers.give_back(now)) {
        Failure left;
        left.stage = untouched ? Stage::not_sent : Stage::sent;
        left.cls = untouched ? FailureClass::network : FailureClass::timeout;
        left.seen = seen;
        return failed(call, left, random, now);
    }
    t.pool->tick(now);
    const std::uint64_t held = call.attempt.reservation.tokens;
    std::optional<double> share;
    for_each_held(call, [&](Reservation& r) {
        const Amount actual = left_cost(call, seen.value_or(Usage{}), *r.pool, now);
        if (&r == &call.attempt.reservation) {
            share = share_of(*t.pool, actual);
            if (actual.tokens < held) {
                t.leavers.gave_back(held - actual.tokens, t.pool->window(), now);
            }
        }
        r.pool->tick(now);
        r.pool->settle(r, actual, now);
    });
    return share;
}

/// An answer that a lowered max_tokens cut short says only that it wanted more.
void Accounts::learn_output(const CallRecord& call, const Usage& usage) {
    if (!usage.known) {
        return;
    }
    const Attempt& attempt = call.attempt;
    const bool cut = attempt.right_sized && usage.output >= attempt.sent_output;
    attempt.target->tally.truncated += cut ? 1 : 0;
    attempt.target->estimator->learn_output(call.asked.output_kind,
                                            cut ? 2 * attempt.sent_output : usage.output);
}

void Accounts::leave(CallRecord& call) {
    TargetState& t = *call.attempt.target;
    --t.in_flight;
    --t.region->in_flight;
    --call.client->in_flight;
    --in_flight_;
    call.attempt.target = nullptr;
    call.last_target = &t;
}

std::optional<Refusal> Accounts::count_request(std::string_view client, Instant now) {
    // Callers may name themselves as they like: only a configured name is remembered.
    if (!clients_.contains(client) &&
        std::ranges::find(config_.clients, client, &ClientConfig::name) == config_.clients.end()) {
        return std::nullopt;
    }
    ClientState* known = client_for(client);
    if (!known->limits || !known->limits->meter(LimitKind::requests).limit()) {
        return std::nullopt;
    }
    QuotaPool& pool = *known->limits;
    pool.tick(now);
    const Meter& requests = pool.meter(LimitKind::requests);
    // What the client's inference calls hold of its tokens does not matter here.
    if (const Instant at = requests.turn_at(1, 0, 0, now); at > now) {
        Refusal refusal;
        refusal.reason = RefusalReason::client_limit;
        refusal.limit_kind = LimitKind::requests;
        refusal.retry_after = at - now;
        refusal.limit = requests.limit().value_or(0);
        refusal.used = requests.used();
        return refusal;
    }
    Reservation one = pool.hold(0);
    pool.sent(one, now);
    pool.settle(one, 0, now);
    return std::nullopt;
}

}  // namespace weir::policy
