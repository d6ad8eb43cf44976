#include "gateway/exchange.h"

#include "gateway/clock.h"
#include "gateway/deciders.h"
#include "gateway/life_record.h"
#include "gateway/models_list.h"

#include <chrono>
#include <utility>

namespace weir::gateway {

net::Task<void> Exchange::run() {
    std::exception_ptr failure;
    try {
        co_await path();
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        co_await fail_internally(std::move(failure));
    }
    client_.unwatch();
    put_on_record();
}

net::Task<void> Exchange::path() {
    if (stopping()) {
        co_return co_await reply_.error(draining_answer());
    }
    Admitted admitted = admit_head(request_, worker_, unix_ms() / 1000);
    if (admitted) {
        admitted = co_await read_body(request_, client_, worker_);
        if (!admitted && admitted.error().type.empty()) {
            co_return reply_.nobody_left();
        }
    }
    if (admitted) {
        admitted = admit_body(request_, worker_);
    }
    if (!admitted) {
        co_return co_await reply_.error(std::move(admitted.error()));
    }
    client_.watch([](void* self) { static_cast<Exchange*>(self)->client_gone(); }, this);
    if (const auto every = request_.snapshot->config.timeouts.interim_100) {
        client_.reassure(*every);
    }
    // Step by step with whoever else came in this turn: each step's code is still in the
    // processor's cache for the next one.
    co_await worker_.loop.soon();
    if (bedrock::lists_models(request_.operation())) {
        co_return co_await list_models();
    }
    if (!request_.is_inference()) {
        if (auto error = within_budget(nullptr)) {
            co_return co_await reply_.error(std::move(*error));
        }
        Call passed_on;
        passed_on.arrival = record_.started;
        passed_on.deadline = request_.directives.deadline;
        AsItCame decider(request_);
        co_return co_await call(decider, passed_on);
    }
    auto asked = to_call(request_, worker_, id_, record_.started);
    if (!asked) {
        co_return co_await reply_.error(std::move(asked.error()));
    }
    const bool observed = request_.snapshot->observes(request_.model);
    if (!observed) {
        co_await ask_others(*asked);
    }
    if (auto error = within_budget(&*asked)) {
        co_return co_await reply_.error(std::move(*error));
    }
    if (observed) {
        ShadowDecider decider(request_, *worker_.shared.shadow, id_);
        co_await call(decider, *asked);
    } else {
        EngineDecider decider(*worker_.shared.gate, id_, record_.id, worker_.shared.log);
        co_await call(decider, *asked);
    }
}

/// Answered here: what is configured and this client may use.
net::Task<void> Exchange::list_models() {
    auto body = models_answer(request_);
    if (!body) {
        co_return co_await reply_.error(std::move(body.error()));
    }
    co_await reply_.good(200, "Content-Type: application/json\r\n", *body);
}

net::Task<void> Exchange::call(Decider& decider, const Call& asked) {
    CallFlow flow(decider);
    Action next = flow.offer(asked);
    while (next != Action::done) {
        switch (next) {
            case Action::wait:
                next = co_await turn(flow, decider);
                break;
            case Action::send:
                next = co_await send(flow);
                break;
            case Action::refresh:
                next = co_await refresh_keys(flow);
                break;
            case Action::answer:
                co_return co_await last_word(flow.refusal());
            case Action::done:
                break;
        }
    }
}

/// Waits until the engine has decided.
net::Task<Exchange::Action> Exchange::turn(CallFlow& flow, const Decider& decider) {
    hold_for(nullptr);
    const Instant since = now();
    record_.doing = {.waiting = true, .standing = decider.standing(), .since = since};
    while (!decided_ && !stop_.raised() && !stopping()) {
        co_await signal_.wait();
    }
    const Instant until = now();
    record_.queued += until - since;
    record_.trail.add(wait_step(record_, until));
    record_.doing.waiting = false;
    if (stop_.gone) {
        co_return co_await stopped(flow, Usage());
    }
    if (!decided_) {  // the drain's time is over: nothing waits
        co_return co_await end_it(flow, draining_answer());
    }
    const Decision decision = std::move(*decided_);
    decided_.reset();
    co_return flow.decided(decision);
}

net::Task<void> Exchange::last_word(const Refusal& refusal) {
    record_.repeated = refusal.repeated;
    record_.trail.add(refusal_step(record_, refusal, now()));
    tell_others(refusal);
    if (cut_short_) {  // better than none, and paid
        co_await give_cut_short();
    } else if (error_ && !client_.answered() &&
               goes_as_it_came(refusal, *error_, request_.dialect)) {
        co_await reply_.as_it_came(*error_);
    } else {
        co_await reply_.error(
            gateway::last_word(refusal, request_.model, stopping(), past_deadline_));
    }
}

}  // namespace weir::gateway
