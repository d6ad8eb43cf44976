#include "gateway/exchange.h"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace weir::gateway {
namespace {

using bedrock::Operation;
using observe::Outcome;

constexpr Duration kRefreshTimeout = std::chrono::seconds(5);

bool is_event_stream(const codec::Head& head) {
    return text_of(head, "content-type").starts_with("application/vnd.amazon.eventstream");
}

bool is_sse(const codec::Head& head) {
    return text_of(head, "content-type").starts_with("text/event-stream");
}

}  // namespace

Instant now() {
    return std::chrono::steady_clock::now();
}

std::int64_t unix_ms() {
    timespec time{};  // to the kernel's tick: it dates signatures and log lines
    ::clock_gettime(CLOCK_REALTIME_COARSE, &time);
    return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

std::string_view text_of(const codec::Head& head, std::string_view name) {
    const auto* value = head.find(name);
    return value == nullptr ? std::string_view() : *value;
}

Exchange::Exchange(Worker& worker, net::Downstream& downstream)
    : worker_(worker),
      downstream_(downstream),
      snapshot_(worker.snapshot),
      signal_(worker.loop),
      id_(worker.enter(*this)),
      texts_(worker.take_texts()),
      body_(texts_->body),
      body_bytes_(worker.shared.buffered),
      upstream_head_(texts_->upstream_head),
      target_region_(texts_->target_region),
      target_model_(texts_->target_model),
      head_(texts_->head),
      head_bytes_(texts_->head_bytes),
      fields_(texts_->fields),
      answer_body_(texts_->answer_body),
      answer_bytes_(worker.shared.buffered),
      started_(now()),
      request_id_(texts_->request_id),
      upstream_request_id_(texts_->upstream_request_id) {}

Exchange::~Exchange() {
    abandon();
    worker_.leave(id_);
    worker_.give_back(std::move(texts_));
}

net::Task<void> Exchange::run() {
    worker_.new_request_id(request_id_);
    std::exception_ptr failure;
    try {
        co_await path();
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        co_await fail_internally(std::move(failure));
    }
    downstream_.unwatch();
    offered_ = observed_ = false;
    record();
}

net::Task<void> Exchange::path() {
    if (worker_.shared.refuse_waiting.load(std::memory_order_relaxed)) {
        const ErrorAnswer stopping = draining_answer();
        co_await answer(stopping);
    } else if (!admit()) {
        const ErrorAnswer error = *error_;
        co_await answer(error);
    } else if (const bool read = co_await read_body(); !read) {
        // the exchange is over
    } else if (!admit_signature() || !admit_asked()) {
        const ErrorAnswer error = *error_;
        co_await answer(error);
    } else {
        downstream_.watch([](void* self) { static_cast<Exchange*>(self)->client_gone(); }, this);
        if (const auto every = snapshot_->config.timeouts.interim_100) {
            downstream_.reassure(*every);
        }
        // Step by step with whoever else came in this turn: each step's code is still in the
        // processor's cache for the next one.
        co_await worker_.loop.soon();
        if (bedrock::is_inference(match_.operation)) {
            co_await infer();
        } else if (bedrock::lists_models(match_.operation)) {
            co_await list_models();
        } else {
            co_await pass_on();
        }
    }
}

net::Task<void> Exchange::infer() {
    auto read = worker_.requests.read(match_.operation, model_, family_, body_);
    if (!read) {
        refuse(400, "ValidationException", "weir: " + read.error().message);
        const ErrorAnswer error = *error_;
        co_await answer(error);
        co_return;
    }
    facts_ = *read;
    const std::uint64_t kept = kept_ ? kept_->tokens : 0;  // which the body does not repeat
    facts_.input_estimate += kept;
    count_of(facts_.input_counts, InputClass::frame) +=
        static_cast<std::uint32_t>(std::min<std::uint64_t>(kept, 1'000'000'000));

    Call call;
    call.id = id_;
    call.client = identity_.name;
    call.priority = priority_;
    call.model = model_;
    call.home_region = home_region_;
    call.converse = !bedrock::speaks_for_a_family(match_.operation);
    call.stream = stream_;
    bind(call);
    call.input_estimate = facts_.input_estimate;
    call.input_counts = facts_.input_counts;
    call.conversation = worker_.requests.conversation();
    if (!says_text_) {  // what is called so means something else there
        facts_.max_output.reset();
    }
    call.max_output = facts_.max_output;
    call.output_kind = facts_.output_kind;
    call.thinking_budget = facts_.thinking_budget;
    call.bytes = body_.size();
    call.arrival = started_;
    call.deadline = deadline_;
    call.invocation = invocation_;

    if (snapshot_->observes(model_)) {
        co_await observe(call);
        co_return;
    }
    EngineGate& gate = *worker_.shared.gate;
    offered_ = true;
    Decision decision = gate.offer(call);
    for (;;) {
        if (std::holds_alternative<Wait>(decision)) {
            decision = co_await turn(std::move(decision));
        }
        if (gone_) {
            break;
        }
        if (const auto* refusal = std::get_if<Refusal>(&decision)) {
            const Refusal final_word = *refusal;
            co_await answer_refusal(final_word);
            co_return;
        }
        grant_ = std::get<Grant>(decision);
        const End end = co_await attempt(grant_);
        if (end == End::answered) {
            co_return;
        }
        if (end == End::gone) {
            break;
        }
        if (end == End::over) {
            gate.cancel(id_,
                        usage_.known || usage_.output > 0 ? std::optional(usage_) : std::nullopt);
            if (truncated_) {  // better than none, and paid
                co_return co_await answer_truncated();
            }
            const ErrorAnswer error = *error_;
            co_await answer(error);
            co_return;
        }
        worker_.shared.metrics->count_attempt(target_region_, target_model_,
                                              attempt_result(failure_));
        const bool credentials = failure_.cls == FailureClass::credentials && !refreshed_;
        decision = gate.report(id_, failure_, request_id_);
        if ((failure_.cls == FailureClass::caller || failure_.cls == FailureClass::slow_model) &&
            worker_.shared.log) {
            for (const std::string& notice : gate.notices()) {
                worker_.shared.log(LogLevel::warn, notice);
            }
        }
        if (credentials && std::holds_alternative<Grant>(decision)) {
            refreshed_ = true;
            if (Region* region = worker_.region(target_region_)) {
                co_await refresh_keys(*region);
            }
        }
    }
    gate.cancel(id_, usage_);
    outcome_ = lost_;
    if (status_ == 0) {
        status_ = 499;
    }
}

/// `mode: observe`: the call goes on as it came, once, and an engine in its shadow notes what it
/// would have done. The engine that enforces has never heard of it and ignores what it is told.
net::Task<void> Exchange::observe(const Call& call) {
    ObserveGate& shadow = *worker_.shared.shadow;
    observed_ = true;
    shadow.offer(call);
    as_it_came_ = Target{std::string(home_region_), std::string(model_)};
    grant_.target = &as_it_came_;
    grant_.attempt = 1;
    grant_.output_burndown = snapshot_->output_burndown(as_it_came_);
    if (deadline_) {
        grant_.deadline = started_ + *deadline_;
    }
    End end = co_await attempt(grant_);
    if (end == End::failed && fresh_) {  // a kept connection had closed: it has not been sent yet
        end = co_await attempt(grant_);
    }
    using Kind = policy::Shadow::Outcome::Kind;
    policy::Shadow::Outcome outcome;
    outcome.usage = usage_;
    outcome.service = now() - attempt_started_;
    if (end == End::failed) {
        outcome.kind = failure_.status == 429 ? Kind::throttled : Kind::failed;
    } else if (end != End::answered) {
        outcome.kind = Kind::failed;
    }
    shadow.ended(id_, outcome);
    if (end == End::failed) {
        worker_.shared.metrics->count_attempt(target_region_, target_model_,
                                              attempt_result(failure_));
        Refusal refusal;
        refusal.reason = RefusalReason::upstream_error;
        refusal.upstream = failure_;
        co_await answer_refusal(refusal);
    } else if (end == End::over) {
        const ErrorAnswer error = *error_;
        co_await answer(error);
    } else if (end == End::gone) {
        outcome_ = lost_;
        status_ = status_ == 0 ? 499 : status_;
    }
}

/// Waits until the engine has decided. Returns whatever it was if the client left meanwhile.
net::Task<Decision> Exchange::turn(Decision decision) {
    const auto since = now();
    while (!decided_ && !gone_) {
        if (!worker_.shared.refuse_waiting.load(std::memory_order_relaxed)) {
            co_await signal_.wait();
        }
        if (!decided_ && worker_.shared.refuse_waiting.load(std::memory_order_relaxed)) {
            worker_.shared.gate->cancel(id_, std::nullopt);
            Refusal refusal;
            refusal.reason = RefusalReason::unavailable;
            decided_ = refusal;
        }
    }
    queued_ += now() - since;
    if (decided_) {
        decision = std::move(*decided_);
        decided_.reset();
    }
    co_return decision;
}

/// One send of the call and what came of it.
net::Task<Exchange::End> Exchange::attempt(const Grant& grant) {
    begin_attempt(grant.elsewhere, grant.deadline);
    target_region_ = grant.target->region;
    target_model_ = grant.target->model;
    endpoint_ = grant.target->endpoint;
    tier_ = grant.target->tier;
    Region* region = worker_.region(target_region_);
    if (region == nullptr) {  // a reload has taken it away meanwhile
        set_failure(FailureClass::network, Stage::not_sent,
                    "Region " + target_region_ + " is no longer declared");
        co_return End::failed;
    }
    std::string other_path;
    const std::string_view target = path_for(grant, other_path);
    std::string rewritten;
    const std::string_view body = body_for(grant, rewritten);
    const codec::Digest digest = body.data() == body_.data() ? digest_ : codec::sha256(body);
    set_instead(grant);
    const Service service = endpoint_ == Endpoint::mantle ? Service::mantle : Service::runtime;

    End end = co_await fetch(*region, service, target, body, digest);
    if (end == End::answered) {
        if (head_.status < 200 || head_.status > 299) {
            end = co_await read_error();
        } else if (downstream_.answered() && !is_event_stream(head_) && !is_sse(head_)) {
            set_failure(FailureClass::server, Stage::sent, "the answer is no stream");
            end = End::failed;
        } else if (stream_ && is_event_stream(head_)) {
            EventRelay relay(match_.operation, match_.operation == Operation::converse_stream ||
                                                   family_ == Family::anthropic);
            end = co_await relay_stream(relay);
        } else if (stream_ && is_sse(head_)) {
            SseRelay relay(match_.operation, add_usage_);
            end = co_await relay_stream(relay);
            if (end == End::answered) {
                remember_response(relay.response_id());
            }
        } else {
            end = co_await relay_whole();
        }
    }
    if (end != End::answered) {
        release(end == End::failed && upstream_error_ && failure_.status != 0);
    }
    upstream_time_ += now() - attempt_started_;
    co_return end;
}

/// What weir does not limit: signed, sent to the home Region, handed back.
net::Task<void> Exchange::pass_on() {
    target_region_ = home_region_;
    target_model_ = model_;
    Region* region = worker_.region(home_region_);
    Service service = this->service();
    std::string target(target_);
    if (kept_) {
        endpoint_ = kept_->endpoint;
        service = endpoint_ == Endpoint::mantle ? Service::mantle : Service::runtime;
        target = bedrock::with_api_path(target_, kept_->path);
    }
    End end = End::failed;
    if (region == nullptr) {  // a reload has taken it away meanwhile
        set_failure(FailureClass::network, Stage::not_sent,
                    "Region " + target_region_ + " is no longer declared");
    }
    for (int tries = 0; tries < 3 && region != nullptr; ++tries) {
        begin_attempt(false, deadline_ ? started_ + *deadline_ : Instant::max());
        end = co_await fetch(*region, service, target, body_, digest_);
        if (end == End::answered && (head_.status < 200 || head_.status > 299)) {
            end = co_await read_error();
        } else if (end == End::answered) {
            end = co_await relay_whole();
        }
        if (end == End::failed && fresh_) {
            continue;  // a kept connection had closed: it has not been sent yet
        }
        if (end != End::failed || failure_.cls != FailureClass::credentials || refreshed_) {
            break;
        }
        refreshed_ = true;
        upstream_error_.reset();
        co_await refresh_keys(*region);
    }
    upstream_time_ += now() - attempt_started_;
    release(false);
    if (end == End::gone) {
        outcome_ = lost_;
        status_ = status_ == 0 ? 499 : status_;
    } else if (end == End::over) {
        const ErrorAnswer error = *error_;
        co_await answer(error);
    } else if (end == End::failed) {
        Refusal refusal;
        refusal.reason = RefusalReason::upstream_error;
        refusal.upstream = failure_;
        co_await answer_refusal(refusal);
    }
}

net::Task<void> Exchange::refresh_keys(Region& region) {
    const auto id = id_;
    Worker* worker = &worker_;
    const auto done = [id, worker] {
        worker->loop.post([id, worker] {
            if (Exchange* exchange = worker->find(id)) {
                exchange->refresh_ended();
            }
        });
    };
    // The provider gives up by itself; the timer is for one that hangs.
    net::Timer timer(
        worker_.loop.wheel(), [](void* self) { static_cast<Exchange*>(self)->refresh_ended(); },
        this);
    timer.set_after(std::min(kRefreshTimeout, patience_for(Phase::connecting).left));
    refreshing_ = true;
    region.keys->refresh(keys_, done);
    while (refreshing_ && !stopped()) {
        co_await signal_.wait();
    }
}

bool Exchange::may_use(const Region& region) const {
    return snapshot_ != worker_.snapshot || home_region_ == region.name;
}

void Exchange::deliver(const Decision& decision) {
    decided_ = decision;
    signal_.notify();
}

void Exchange::refresh_ended() {
    refreshing_ = false;
    signal_.notify();
}

}  // namespace weir::gateway
