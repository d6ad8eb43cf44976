// Beside the path: how an exchange is set up, what is kept of it, and the ends that no answer
// brings: the client's leaving, a drain, weir's own word, an exception.
#include "gateway/call_costs.h"
#include "gateway/clock.h"
#include "gateway/exchange.h"
#include "gateway/life_record.h"
#include "gateway/tracing.h"
#include "policy/class_rules.h"

#include <utility>

namespace weir::gateway {

using observe::Outcome;

Exchange::Exchange(Worker& worker, net::Downstream& client)
    : worker_(worker),
      client_(client),
      id_(worker.calls.enter(*this)),
      request_(worker.snapshot, client, worker.shared.buffered),
      reply_(client, request_, stop_, record_),
      signal_(worker.loop) {
    record_.id = worker.new_request_id();
    record_.started = now();
    record_.told.account = !request_.snapshot->config.accounts.empty();
    record_.trail.begin(worker.texts.take());
    if (const OtlpConfig& otlp = request_.snapshot->config.otlp; traces_on(otlp)) {
        record_.trace = trace_of(client.head(), otlp, [&worker] { return worker.random(); });
    }
}

Exchange::~Exchange() {
    worker_.leave(id_);
}

/// It has ended: what it cost, one line in the log, one count in the metrics, and what is told of
/// it later.
void Exchange::put_on_record() {
    const Instant end = now();
    const std::int64_t wall = unix_ms();
    record_.costs = costs_of(record_, request_, end);
    for (PaidAnswer& before : record_.answers_before) {
        before.costs = costs_of(before.at, before.usage, request_);
    }
    if (cut_short_) {
        const Usage& usage = cut_short_->answer.usage;
        observe::Costs costs = costs_of(cut_short_->at, usage, request_);
        costs.paid_again = total_of(usage);
        record_.answers_before.push_back(
            {std::move(cut_short_->at), usage, cut_short_->grant.output_burndown, costs});
    }
    if (record_.trace) {
        record_.trace->kept = is_kept(record_, request_, worker_, end);
    }
    const RecordSinks sinks{.metrics = *worker_.shared.metrics,
                            .ledger = worker_.shared.ledger,
                            .log = worker_.shared.access_log};
    write_record(record_, request_, end, wall, sinks);
    settle_budget();
    const bool traced = record_.trace && record_.trace->kept;
    if (worker_.lives.on() || traced) {
        const observe::Life life = life_of(record_, request_, end, wall);
        if (worker_.lives.on()) {
            remember(life, end);
        }
        if (traced) {
            observe::TracedLife one{*record_.trace, {}};
            observe::pack(one.packed, life);
            worker_.shared.spans.push(std::move(one));
        }
    }
    worker_.texts.give_back(record_.trail.take());
    worker_.texts.give_back(std::move(request_.body.text));
}

/// One client's trouble does not push out another's, nor the trouble of those without a key what is
/// known of all.
void Exchange::remember(const observe::Life& life, Instant end) {
    const bool trouble = eventful(record_);
    const bool fits = trouble && worker_.eventful_lives.take(request_.configured_client(), end);
    if (fits || !trouble || request_.identity.proven()) {
        worker_.lives.remember(life, fits);
    }
}

/// The attempt failed; what next is the engine's to say.
Exchange::Action Exchange::failed(CallFlow& flow, const Failure& failure) {
    count(attempt_result(failure));
    note_attempt(&failure);
    record_.maybe_served = policy::may_be_paid(failure);
    if (!record_.maybe_served) {
        record_.usage = {};
    }
    return flow.failed(failure);
}

void Exchange::count(observe::AttemptResult result) {
    if (request_.is_inference()) {
        worker_.shared.metrics->count_attempt(record_.at, result);
    }
}

/// The attempt under way is over; null: it has not failed.
void Exchange::note_attempt(const Failure* failure) {
    if (record_.doing.sending && attempt_ != nullptr) {
        record_.trail.add(attempt_step(record_, attempt_->clocks().times().sent, now(), failure));
    }
    record_.doing.sending = false;
}

std::optional<std::string> Exchange::tell(std::string_view id) const {
    if (!id.empty() && id != record_.id && id != record_.upstream_id) {
        return std::nullopt;
    }
    observe::Trail trail;
    trail.begin(std::string(record_.trail.packed()));
    if (record_.doing.waiting) {
        trail.add(wait_step(record_, std::nullopt));
    } else if (record_.doing.sending && attempt_ != nullptr) {
        const Instant sent = attempt_->clocks().times().sent;
        trail.add(attempt_step(record_, sent, std::nullopt, nullptr));
    }
    observe::Life life = life_of(record_, request_, std::nullopt, unix_ms());
    life.steps = trail.packed();
    std::string packed;
    observe::pack(packed, life);
    return packed;
}

/// The client left, or the drain's time is over.
net::Task<Exchange::Action> Exchange::stopped(CallFlow& flow, Usage so_far) {
    if (!stop_.gone) {
        record_.usage = so_far;
        co_return co_await end_it(flow, drained_answer());
    }
    flow.stopped(so_far);
    reply_.nobody_left();
    co_return Action::done;
}

/// Weir's own end of a call under way: no place is to blame.
net::Task<Exchange::Action> Exchange::end_it(CallFlow& flow, ErrorAnswer error) {
    const Usage& seen = record_.usage;
    const bool any = seen.known || seen.output > 0;
    flow.stopped(any ? std::optional(seen) : std::nullopt);
    if (cut_short_ && !client_.answered()) {
        co_await give_cut_short();
    } else {
        co_await reply_.error(std::move(error));
    }
    co_return Action::done;
}

/// A good answer that was cut short is better than none, and paid.
net::Task<void> Exchange::give_cut_short() {
    record_.set_aside();
    record_.at = std::move(cut_short_->at);
    record_.grant = cut_short_->grant;
    record_.grant.target = &record_.at;
    const KeptAnswer answer = std::move(cut_short_->answer);
    cut_short_.reset();
    record_.usage = answer.usage;
    record_.maybe_served = true;
    record_.upstream_id = answer.upstream_id;
    co_await reply_.good(answer.status, answer.fields, answer.body);
}

/// An exception has ended the path: an end like any other, as far as memory allows. What was held
/// for the call ended with its CallFlow.
net::Task<void> Exchange::fail_internally(std::exception_ptr failure) {
    log_exception(failure);
    record_.outcome = Outcome::server_error;
    record_.error_name = "InternalServerException";
    bool answered = false;
    if (!client_.answered()) {
        record_.status = 500;
        try {
            ErrorAnswer error = refused(500, "InternalServerException",
                                        "weir: this request failed inside the gateway")
                                    .error();
            error.outcome = Outcome::server_error;
            co_await reply_.error(std::move(error));
            answered = true;
        } catch (...) {
            log_exception(std::current_exception());
        }
    }
    if (!answered) {
        client_.abort();
    }
}

void Exchange::log_exception(const std::exception_ptr& failure) const noexcept {
    if (!worker_.shared.log) {
        return;
    }
    try {
        std::string text = "request " + record_.id + " met an exception inside weir";
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            text.append(": ").append(error.what());
        } catch (...) {
            text += " of no known kind";
        }
        worker_.shared.log(LogLevel::error, text);
    } catch (...) {  // no memory to say it: the access log's line and the metrics do
        return;
    }
}

void Exchange::deliver(const Decision& decision) {
    decided_ = decision;
    signal_.notify();
}

void Exchange::refused_elsewhere(std::optional<PastRefusal> past) {
    told_ = std::move(past);
    signal_.notify();
}

void Exchange::refreshed() {
    refreshing_ = false;
    signal_.notify();
}

bool Exchange::may_use(const Region& region) const {
    return request_.snapshot != worker_.snapshot || request_.home_region == region.name;
}

/// Whatever is awaited ends now, and whoever awaits it looks at stop_.
void Exchange::client_gone() {
    stop_.gone = true;
    stop_waiting();
}

void Exchange::drain_end() {
    stop_.drained = true;
    stop_waiting();
}

void Exchange::stop_waiting() {
    if (attempt_ != nullptr) {
        attempt_->interrupt();
    }
    signal_.notify();
}

bool Exchange::stopping() const {
    return worker_.shared.refuse_waiting.load(std::memory_order_relaxed);
}

}  // namespace weir::gateway
