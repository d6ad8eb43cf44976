// One attempt at a call, from its grant to what came of it.
#include "gateway/exchange.h"

#include "aws/http_call.h"
#include "bedrock/body_head.h"
#include "bedrock/json_peek.h"
#include "bedrock/passed_body.h"
#include "codec/clean.h"
#include "gateway/call_costs.h"
#include "gateway/clock.h"
#include "gateway/header_rules.h"
#include "gateway/outgoing.h"
#include "gateway/stream_count.h"
#include "gateway/tracing.h"

#include <weir/models.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace weir::gateway {
namespace {

using bedrock::Operation;

constexpr Duration kRefreshTimeout = std::chrono::seconds(5);

bool is_event_stream(const codec::Head& head) {
    return text_of(head, "content-type").starts_with("application/vnd.amazon.eventstream");
}

bool is_sse(const codec::Head& head) {
    return text_of(head, "content-type").starts_with("text/event-stream");
}

/// What the record's attempt sends, with its place in the trace.
bool compose_attempt(Outgoing& out, const Request& request, const Record& record,
                     const Destination& to, std::string_view instance) {
    const std::int64_t seconds = unix_ms() / 1000;
    if (!record.trace) {
        return compose(out, request, record.grant, to, instance, seconds);
    }
    const TraceFields trace(request.head, *record.trace, record.attempts);
    return compose(out, request, record.grant, to, instance, seconds, trace.fields());
}

}  // namespace

Clocks Exchange::clocks_for(const Grant& grant) const {
    AttemptTimes times;
    times.stream = request_.stream;
    times.asked = request_.directives.deadline.has_value();
    times.elsewhere = grant.elsewhere;
    times.deadline = grant.deadline;
    times.started = times.sent = now();
    return {request_.snapshot->config.timeouts, times, record_.started};
}

/// Where the client's leaving finds the attempt to interrupt.
class Exchange::Current {
public:
    Current(Exchange& exchange, Attempt& attempt) : exchange_(exchange) {
        exchange_.attempt_ = &attempt;
    }
    ~Current() { exchange_.attempt_ = nullptr; }
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

private:
    Exchange& exchange_;
};

net::Task<Exchange::Action> Exchange::send(CallFlow& flow) {
    record_.begin(flow.grant());
    past_deadline_ = false;
    hold_for(&record_.at);
    Region* region = worker_.region(record_.at.region);
    if (region == nullptr) {  // a reload has taken it away meanwhile
        co_return failed(flow,
                         gateway::failed(FailureClass::network, Stage::not_sent,
                                         "Region " + record_.at.region + " is no longer declared"));
    }
    const Service service = service_of(request_, record_.at.endpoint);
    const Clocks clocks = clocks_for(record_.grant);
    record_.doing.sending = true;
    record_.doing.since = record_.doing.head = clocks.times().started;
    Attempt attempt(worker_.loop, worker_.pool(*region, service), region->name, stop_, clocks);
    const Current current(*this, attempt);
    const Action next = co_await ask(flow, *region, attempt);
    note_attempt(nullptr);
    past_deadline_ = attempt.clocks().past_deadline();
    record_.upstream_time += now() - clocks.times().started;
    co_return next;
}

std::string Exchange::place_of(const Region& region) const {
    return record_.at.account.empty() ? region.name
                                      : "account " + record_.at.account + " in " + region.name;
}

/// Composes, connects, writes, and reads the answer's head.
net::Task<Exchange::Action> Exchange::ask(CallFlow& flow, Region& region, Attempt& attempt) {
    using End = Attempt::End;
    co_await worker_.loop.soon();
    const Service service = service_of(request_, record_.at.endpoint);
    const auto keys = worker_.keys(region, record_.at.account);
    keys_ = keys == nullptr ? nullptr : keys->get();
    const Destination to{region, service, keys_.get(),
                         service == Service::mantle ? worker_.mantle_signer : worker_.signer};
    Outgoing out;
    out.head = worker_.texts.take();
    if (!compose_attempt(out, request_, record_, to, worker_.shared.instance)) {
        co_return failed(flow, gateway::failed(FailureClass::credentials, Stage::not_sent,
                                               "weir has no credentials for " + place_of(region) +
                                                   ": its start-up log says what was tried"));
    }
    for (std::size_t i = 0; i < out.unknown_fields && record_.attempts == 1; ++i) {
        worker_.shared.metrics->count_unknown_header();
    }
    End end = End::stopped;
    if (!stop_.raised()) {
        end = co_await attempt.connect(std::exchange(fresh_, false));
        worker_.shared.metrics->count_pool_wait(region.name, to_seconds(attempt.connecting()));
    }
    if (end == End::done) {
        end = co_await attempt.write(out.head, out.body);
    }
    worker_.texts.give_back(std::move(out.head));
    if (end == End::done) {
        if (attempt.written()) {
            flow.sent();
        }
        end = co_await attempt.read_head();
        record_.doing.head = end == End::done ? now() : record_.doing.since;
    }
    if (end == End::stopped) {
        record_.maybe_served = attempt.written();
        attempt.release(false);
        co_return co_await stopped(flow, Usage());
    }
    if (end == End::failed) {
        fresh_ = attempt.kept_had_closed();
        if (!attempt.unreachable().empty()) {
            worker_.complain(region, attempt.unreachable());
        }
        co_return failed(flow, attempt.failure());
    }
    if (!attempt.written()) {  // an early answer: it has been sent, as far as it was wanted
        flow.sent();
    }
    record_.upstream_id = codec::clean_id(text_of(attempt.head(), "x-amzn-requestid"));
    co_return co_await answer(flow, attempt);
}

/// A signature is good for five minutes. The service's words for a wrong clock are those for a
/// wrong secret, so the log says which it is.
void Exchange::check_clock(std::string_view date) {
    constexpr std::int64_t kWrong = 240;  // seconds
    const auto theirs = aws::parse_http_date(std::string(date));
    const std::int64_t skew = theirs ? *theirs - unix_ms() / 1000 : 0;
    Region* region = worker_.region(record_.at.region);
    if (std::abs(skew) >= kWrong && region != nullptr) {
        worker_.complain(*region, "this machine's clock is " + std::to_string(std::abs(skew)) +
                                      (skew > 0 ? " s behind" : " s ahead of") + " Bedrock's in " +
                                      region->name +
                                      ", which refuses signatures that are 5 minutes off: set the "
                                      "clock");
    }
}

/// What kind of answer it is decides how it comes back.
net::Task<Exchange::Action> Exchange::answer(CallFlow& flow, Attempt& attempt) {
    const codec::Head& head = attempt.head();
    auto& buffered = worker_.shared.buffered;
    const LimitsConfig& limits = request_.snapshot->config.limits;
    std::string fields = worker_.texts.take();
    fields.reserve(512);
    append_forwarded_response_fields(fields, head);
    if (head.status > 299) {  // 1xx are read over by net::Upstream
        if (head.status == 403) {
            check_clock(text_of(head, "date"));
        }
        ErrorRead read = co_await read_error(attempt, stop_, limits.max_buffered, buffered,
                                             worker_.answers, unix_ms() / 1000, fields);
        if (read.stopped) {
            co_return co_await stopped(flow, Usage());
        }
        error_ = std::move(read.kept);
        co_return failed(flow, read.failure);
    }
    record_.maybe_served = true;
    const bool event_stream = is_event_stream(head);
    const bool sse = is_sse(head);
    if (client_.answered() && !event_stream && !sse) {
        attempt.release(false);
        co_return failed(
            flow, gateway::failed(FailureClass::server, Stage::sent, "the answer is no stream"));
    }
    const std::size_t forwarded = fields.size();
    append_weir_fields(fields, record_, true);
    const Ends ends{attempt, client_, stop_, limits, fields};
    if (request_.stream && event_stream) {
        const StreamCount open(worker_.shared.streams);
        EventRelay events(request_.operation(),
                          request_.operation() == Operation::converse_stream ||
                              request_.family == Family::anthropic);
        StreamAnswer stream(ends, buffered, events, opened_, nullptr, nullptr);
        co_return co_await hand_on(flow, stream, head.status);
    }
    if (request_.stream && sse) {
        const StreamCount open(worker_.shared.streams);
        SseRelay events(request_.operation(), request_.add_usage);
        StreamAnswer stream(
            ends, buffered, events, opened_,
            [](void* self, std::string_view id) {
                static_cast<Exchange*>(self)->remember_made(id);
            },
            this);
        const Action next = co_await hand_on(flow, stream, head.status);
        if (next == Action::done) {
            remember_made(events.response_id());
        }
        co_return next;
    }
    WholeAnswer whole(ends, buffered, request_.body.bytes.holder(), worker_.answers,
                      request_.operation(), request_.says_text && request_.is_inference());
    whole.body() = worker_.texts.take();
    const Action next = co_await hand_on_whole(
        flow, whole, std::string_view(fields).substr(0, forwarded), head.status);
    worker_.texts.give_back(std::move(whole.body()));
    worker_.texts.give_back(std::move(fields));
    co_return next;
}

net::Task<Exchange::Action> Exchange::hand_on_whole(CallFlow& flow, WholeAnswer& whole,
                                                    std::string_view forwarded, int status) {
    const Relay::Turn turn = co_await whole.judge();
    if (turn == Relay::Turn::flowing && request_.operation() == Operation::responses) {
        // its id comes first
        remember_made(bedrock::string_member(whole.body(), "\"id\"").value_or(""));
    }
    if (turn != Relay::Turn::complete) {
        co_return co_await hand_on(flow, whole, status, turn);
    }
    if (request_.is_inference()) {
        record_.usage = whole.usage();
        // Whatever the family calls it: an answer as long as it was let be has been cut.
        if (record_.grant.right_sized && record_.usage.known &&
            record_.usage.output >= *record_.grant.max_output) {
            KeptAnswer kept;
            kept.status = status;
            kept.fields = forwarded;
            kept.body = std::move(whole.body());
            kept.upstream_id = record_.upstream_id;
            kept.usage = std::exchange(record_.usage, {});
            kept.bytes = whole.take_count();
            Failure failure;
            failure.cls = FailureClass::truncated;
            failure.stage = Stage::sent;
            failure.status = status;
            failure.seen = kept.usage;
            cut_short_ = CutShort(std::move(kept), record_.at, record_.grant);
            co_return failed(flow, failure);
        }
        if (request_.operation() == Operation::responses) {  // the client's next builds on it
            remember_made(bedrock::response_id(whole.body()));
        }
    } else if (request_.operation() == Operation::count_message_tokens) {
        whole.body() = bedrock::anthropic_count(whole.body());
    } else if (request_.operation() == Operation::start_async_invoke ||
               request_.operation() == Operation::create_invocation_job) {
        remember_made(strip_arn(bedrock::made_arn(request_.operation(), whole.body())));
    }
    co_return co_await hand_on(flow, whole, status, turn);
}

net::Task<Exchange::Action> Exchange::hand_on(CallFlow& flow, Relay& relay, int status) {
    const Relay::Turn turn = co_await relay.judge();
    co_return co_await hand_on(flow, relay, status, turn);
}

/// From the first that is known good to the last; the engine is told of each step.
net::Task<Exchange::Action> Exchange::hand_on(CallFlow& flow, Relay& relay, int status,
                                              Relay::Turn turn) {
    using Turn = Relay::Turn;
    if (turn == Turn::flowing || turn == Turn::complete) {
        request_.body.free();
        record_.begun = true;
    }
    if (record_.begun || client_.answered()) {
        record_.status = status;
    }
    if (turn == Turn::flowing) {
        if (request_.stream) {
            record_.first_token = now() - record_.started;
        }
        flow.began();
        turn = co_await relay.pass();
    }
    if (request_.is_inference()) {
        record_.usage = relay.usage();
    }
    switch (turn) {
        case Turn::failed:
            co_return failed(flow, relay.failure());
        case Turn::complete:
            flow.complete(record_.usage);
            count(observe::AttemptResult::ok);
            break;
        case Turn::broken:
            flow.broken(relay.failure());
            count(observe::AttemptResult::broken);
            record_.outcome = observe::Outcome::broken_stream;
            record_.error_name = relay.failure().error_type;
            break;
        case Turn::gone:
            flow.stopped(record_.usage);
            reply_.nobody_left();
            if (relay.not_taken()) {
                reply_.not_taken(*relay.not_taken());
            }
            co_return Action::done;
        case Turn::cut:
            flow.stopped(std::nullopt);
            reply_.cut(relay.error());
            co_return Action::done;
        case Turn::over:
        case Turn::flowing:
            co_return co_await end_it(flow, relay.error());
    }
    const auto taken = co_await relay.end();
    if (!taken && turn == Turn::complete) {
        reply_.not_taken(taken.error());
    }
    co_return Action::done;
}

net::Task<Exchange::Action> Exchange::refresh_keys(CallFlow& flow) {
    Region* region = worker_.region(record_.at.region);
    const auto keys = region == nullptr ? nullptr : worker_.keys(*region, record_.at.account);
    if (keys == nullptr) {
        co_return flow.refreshed();
    }
    const auto done = [id = id_, worker = &worker_] {
        worker->loop.post([id, worker] {
            if (CallUnderWay* call = worker->calls.find(id)) {
                call->refreshed();
            }
        });
    };
    // The provider gives up by itself; the timer is for one that hangs.
    net::Timer timer(
        worker_.loop.wheel(), [](void* self) { static_cast<Exchange*>(self)->refreshed(); }, this);
    const Patience left = clocks_for(flow.grant()).left(Phase::connecting, now());
    timer.set_after(std::min(kRefreshTimeout, left.left));
    refreshing_ = true;
    keys->refresh(keys_, done);
    while (refreshing_ && !stop_.raised()) {
        co_await signal_.wait();
    }
    if (stop_.raised()) {
        co_return co_await stopped(flow, Usage());
    }
    co_return flow.refreshed();
}

/// What an answer names is kept where it was made: what leans on it has to go there.
void Exchange::remember_made(std::string_view id) {
    if (id.empty()) {
        return;
    }
    ResponseMemory::Made made;
    made.region = record_.at.region;
    made.tokens = total_of(record_.usage);
    made.endpoint = record_.at.endpoint;
    made.path = record_.grant.path;
    made.client = request_.tenant();
    made.model = request_.model;
    made.account = record_.at.account;
    worker_.shared.responses.remember(id, std::move(made));
}

}  // namespace weir::gateway
