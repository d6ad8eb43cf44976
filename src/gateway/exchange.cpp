#include "gateway/exchange.h"

#include "gateway/header_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace weir::gateway {
namespace {

using bedrock::Operation;
using codec::append_field;
using net::NetError;
using observe::Outcome;

constexpr std::uint64_t kMaxHeldAnswer = 1UL << 20;
constexpr Duration kErrorBodyTimeout = std::chrono::seconds(30);
constexpr Duration kRefreshTimeout = std::chrono::seconds(5);

Instant now() {
    return std::chrono::steady_clock::now();
}

std::int64_t unix_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

/// N of amz-sdk-request's `attempt=N; max=M`.
int sdk_attempt_of(std::string_view value) {
    const auto at = value.find("attempt=");
    if (at == std::string_view::npos) {
        return 0;
    }
    value.remove_prefix(at + 8);
    return parse_number<int>(value.substr(0, value.find_first_not_of("0123456789"))).value_or(0);
}

std::optional<Priority> parse_priority(std::string_view text) {
    for (const auto p : {Priority::interactive, Priority::standard, Priority::batch}) {
        if (codec::equals_ignore_case(text, to_string(p))) {
            return p;
        }
    }
    return std::nullopt;
}

std::string_view text_or(const codec::Head& head, std::string_view name) {
    const auto* value = head.find(name);
    return value == nullptr ? std::string_view() : *value;
}

bool is_event_stream(const codec::Head& head) {
    return text_or(head, "content-type").starts_with("application/vnd.amazon.eventstream");
}

}  // namespace

Exchange::Exchange(Worker& worker, net::Downstream& downstream)
    : worker_(worker),
      downstream_(downstream),
      snapshot_(worker.snapshot),
      signal_(worker.loop),
      id_(worker.enter(*this)),
      started_(now()) {}

Exchange::~Exchange() {
    worker_.leave(id_);
    worker_.shared.buffered.fetch_sub(counted_bytes_, std::memory_order_relaxed);
}

// ---- the path
// -----------------------------------------------------------------------------------------

net::Task<void> Exchange::run() {
    request_id_ = worker_.new_request_id();
    if (!admit()) {
        const ErrorAnswer error = *error_;
        co_await answer(error);
    } else if (co_await read_body()) {
        downstream_.watch([](void* self) { static_cast<Exchange*>(self)->client_gone(); }, this);
        if (bedrock::is_inference(match_.operation)) {
            co_await infer();
        } else {
            co_await pass_on();
        }
        downstream_.unwatch();
    }
    record();
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

    Call call;
    call.id = id_;
    call.client = identity_.name;
    call.priority = priority_;
    call.model = model_;
    call.home_region = home_region_;
    call.converse =
        match_.operation == Operation::converse || match_.operation == Operation::converse_stream;
    call.stream = bedrock::is_stream(match_.operation);
    call.region_bound = facts_.region_bound || match_.model.starts_with("arn:") ||
                        downstream_.head().find("x-amzn-bedrock-guardrailidentifier") != nullptr;
    call.input_estimate = facts_.input_estimate;
    call.max_output = facts_.max_output;
    call.bytes = body_.size();
    call.arrival = started_;
    call.deadline = deadline_;
    call.invocation = invocation_;

    EngineGate& gate = *worker_.shared.gate;
    Decision decision = gate.offer(call);
    for (;;) {
        decision = co_await turn(std::move(decision));
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
        worker_.shared.metrics->count_attempt(target_region_, target_model_,
                                              attempt_result(failure_));
        const bool credentials = failure_.cls == FailureClass::credentials && !refreshed_;
        decision = gate.report(id_, failure_);
        if (credentials && std::holds_alternative<Grant>(decision)) {
            refreshed_ = true;
            if (Region* region = worker_.region(target_region_)) {
                co_await refresh_keys(*region);
            }
        }
    }
    gate.cancel(id_, usage_.known || usage_.output > 0 ? std::optional(usage_) : std::nullopt);
    outcome_ = Outcome::cancelled;
    if (status_ == 0) {
        status_ = 499;
    }
}

/// Waits until the engine has decided. Returns whatever it was if the client left meanwhile.
net::Task<Decision> Exchange::turn(Decision decision) {
    if (!std::holds_alternative<Wait>(decision)) {
        co_return decision;
    }
    const auto since = now();
    while (!decided_ && !gone_) {
        co_await signal_.wait();
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
    ++attempts_;
    told_sent_ = false;
    attempt_started_ = now();
    target_region_ = grant.target->region;
    target_model_ = grant.target->model;
    Region* region = worker_.region(target_region_);
    if (region == nullptr) {  // a reload has taken it away meanwhile
        set_failure(FailureClass::network, Stage::not_sent,
                    "Region " + target_region_ + " is no longer declared");
        co_return End::failed;
    }
    std::string path;
    std::string_view target = target_;
    if (grant.substituted) {
        path = bedrock::with_model(target_, match_.raw_model, target_model_);
        target = path;
    }
    std::string rewritten;
    std::string_view body = body_;
    codec::Digest digest = digest_;
    if (grant.max_output) {
        rewritten =
            bedrock::with_max_output(body_, facts_, match_.operation, family_, *grant.max_output);
        body = rewritten;
        digest = codec::sha256(body);
    }

    End end = co_await fetch(*region, false, target, body, digest);
    if (end == End::answered) {
        if (head_.status < 200 || head_.status > 299) {
            end = co_await read_error();
        } else if (bedrock::is_stream(match_.operation) && is_event_stream(head_)) {
            end = co_await relay_stream();
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

/// Connects, signs, sends and reads the response's head. `answered`: head_ is there.
net::Task<Exchange::End> Exchange::fetch(Region& region, bool control, std::string_view target,
                                         std::string_view body, const codec::Digest& digest) {
    if (!prepare_head(region, control, target, body.size(), digest)) {
        set_failure(FailureClass::credentials, Stage::not_sent,
                    "weir has no credentials for " + region.name +
                        ": its start-up log says what was tried");
        co_return End::failed;
    }
    const auto& timeouts = snapshot_->config.timeouts;
    pool_ = &worker_.pool(region, control);
    for (bool fresh = false;;) {
        if (gone_) {
            co_return End::gone;
        }
        const auto asked = now();
        interrupt_ = {};
        auto acquired = co_await pool_->acquire(fresh, interrupt_);
        worker_.shared.metrics->count_pool_wait(region.name, to_seconds(now() - asked));
        if (!acquired) {
            set_failure(FailureClass::network, Stage::not_sent,
                        "no connection to " + region.name + ": " +
                            std::string(to_string(acquired.error().error)));
            co_return gone_ ? End::gone : End::failed;
        }
        connection_ = std::move(*acquired);
        if (gone_) {
            co_return End::gone;
        }
        // A reused connection that its peer had closed meanwhile says nothing about the peer: once
        // more, on a fresh one.
        const bool may_replay = connection_->reused() && !fresh;
        connection_->stream().set_deadline(timeouts.idle);
        const auto written = co_await connection_->write(upstream_head_, body);
        if (!written) {
            if (gone_) {
                co_return End::gone;
            }
            release(false);
            if (may_replay) {
                fresh = true;
                continue;
            }
            set_failure(FailureClass::network, Stage::not_sent, "the request could not be written");
            co_return End::failed;
        }
        if (!told_sent_ && bedrock::is_inference(match_.operation)) {
            worker_.shared.gate->sent(id_);
        }
        told_sent_ = true;
        connection_->stream().set_deadline(
            bedrock::is_stream(match_.operation) ? timeouts.first_event : timeouts.answer);
        const auto head = co_await connection_->read_head();
        if (head) {
            keep_head(**head);
            co_return End::answered;
        }
        if (gone_) {
            co_return End::gone;
        }
        const auto error = head.error().error;
        const bool untouched = !connection_->any_bytes_received();
        release(false);
        const bool lost = error == NetError::closed || error == NetError::reset;
        if (lost && untouched && may_replay) {
            fresh = true;
            continue;
        }
        if (error == NetError::timeout) {
            set_failure(FailureClass::timeout, Stage::sent, "no answer in time");
        } else if (lost) {
            set_failure(FailureClass::reset, Stage::sent,
                        "the connection broke before an answer came");
        } else {
            set_failure(FailureClass::server, Stage::sent, "the answer was not HTTP");
        }
        co_return End::failed;
    }
}

net::Task<Exchange::End> Exchange::read_error() {
    connection_->stream().set_deadline(kErrorBodyTimeout);
    bool whole = false;
    answer_body_.clear();
    while (answer_body_.size() < kMaxHeldAnswer) {
        const auto piece = co_await connection_->read_body();
        if (gone_) {
            co_return End::gone;
        }
        if (!piece || piece->empty()) {
            whole = piece.has_value();
            break;
        }
        answer_body_.append(*piece);
    }
    failure_ = worker_.answers.failure(head_, answer_body_, unix_ms() / 1000);
    failure_.stage = Stage::sent;
    upstream_error_ = UpstreamError{failure_, fields_, std::move(answer_body_)};
    answer_body_.clear();
    release(whole);
    co_return End::failed;
}

/// Reads an answer whole, so that a failure in it is still unseen below; then hands it on.
net::Task<Exchange::End> Exchange::relay_whole() {
    const auto& timeouts = snapshot_->config.timeouts;
    answer_body_.clear();
    if (head_.framing == codec::Framing::length && head_.content_length <= kMaxHeldAnswer) {
        answer_body_.reserve(head_.content_length + 64);
    }
    for (;;) {
        connection_->stream().set_deadline(timeouts.idle);
        const auto piece = co_await connection_->read_body();
        if (gone_) {
            co_return End::gone;
        }
        if (!piece) {
            set_failure(FailureClass::timeout, Stage::sent, "the answer broke off");
            co_return End::failed;
        }
        if (piece->empty()) {
            break;
        }
        answer_body_.append(*piece);
        if (answer_body_.size() > kMaxHeldAnswer) {
            co_return co_await relay_large(answer_body_.size());
        }
    }
    release(true);
    if (bedrock::is_inference(match_.operation)) {
        usage_ = worker_.answers.usage(match_.operation, head_, answer_body_);
        worker_.shared.gate->complete(id_, usage_);
        worker_.shared.metrics->count_attempt(target_region_, target_model_,
                                              observe::AttemptResult::ok);
    }
    status_ = head_.status;
    begun_ = true;
    add_weir_fields();
    const auto sent = co_await downstream_.send(status_, fields_, answer_body_);
    if (!sent) {
        outcome_ = Outcome::cancelled;
    }
    co_return End::answered;
}

/// The rest of an answer too large to hold.
net::Task<Exchange::End> Exchange::relay_large(std::uint64_t already) {
    const bool inference = bedrock::is_inference(match_.operation);
    if (inference) {
        worker_.shared.gate->began(id_);
    }
    begun_ = true;
    status_ = head_.status;
    add_weir_fields();
    const auto length = head_.framing == codec::Framing::length
                            ? std::optional(head_.content_length)
                            : std::nullopt;
    auto sent = co_await downstream_.begin(status_, fields_, length);
    std::string_view bytes(answer_body_.data(), already);
    while (sent) {
        sent = co_await downstream_.write(bytes);
        if (!sent) {
            break;
        }
        std::string().swap(answer_body_);
        connection_->stream().set_deadline(snapshot_->config.timeouts.idle);
        const auto piece = co_await connection_->read_body();
        if (!piece) {
            if (!gone_) {
                set_failure(FailureClass::broken, Stage::begun, "the answer broke off");
                outcome_ = Outcome::broken_stream;
                error_name_ = "IncompleteBody";
                if (inference) {
                    worker_.shared.metrics->count_attempt(target_region_, target_model_,
                                                          observe::AttemptResult::broken);
                    worker_.shared.gate->report(id_, failure_);
                }
            }
            downstream_.abort();
            release(false);
            co_return gone_ ? End::gone : End::answered;
        }
        if (piece->empty()) {
            release(true);
            if (inference) {
                usage_ = worker_.answers.usage(match_.operation, head_, answer_body_);
                worker_.shared.gate->settle(id_, usage_);
                worker_.shared.metrics->count_attempt(target_region_, target_model_,
                                                      observe::AttemptResult::ok);
            }
            const auto ended = co_await downstream_.end();
            if (!ended) {
                outcome_ = Outcome::cancelled;
            }
            co_return End::answered;
        }
        bytes = *piece;
    }
    co_return End::gone;
}

net::Task<Exchange::End> Exchange::relay_stream() {
    const auto& timeouts = snapshot_->config.timeouts;
    StreamRelay relay(match_.operation, match_.operation == Operation::converse_stream ||
                                            family_ == Family::anthropic);
    for (;;) {
        const Duration patience = relay.begun()
                                      ? timeouts.idle
                                      : std::max(timeouts.first_event - (now() - attempt_started_),
                                                 Duration(std::chrono::milliseconds(1)));
        connection_->stream().set_deadline(std::min(patience, timeouts.answer));
        const auto piece = co_await connection_->read_body();
        usage_ = relay.usage();
        if (gone_) {
            co_return End::gone;
        }
        if (!piece) {
            if (relay.begun()) {
                co_return co_await break_stream(relay, "the stream broke off");
            }
            const bool slow = piece.error().error == NetError::timeout;
            set_failure(
                slow ? FailureClass::timeout : FailureClass::reset, Stage::sent,
                slow ? "the stream stalled before content" : "the stream broke off before content");
            co_return End::failed;
        }
        if (piece->empty()) {
            break;
        }
        const auto out = relay.take(*piece);
        if (relay.begun() && !begun_) {
            begun_ = true;
            first_token_ = now() - started_;
            worker_.shared.gate->began(id_);
            std::string().swap(body_);
            status_ = head_.status;
            add_weir_fields();
            const auto head_sent = co_await downstream_.begin(status_, fields_, std::nullopt);
            if (!head_sent) {
                co_return End::gone;
            }
        }
        if (relay.state() == StreamRelay::State::failed) {
            failure_ = relay.failure();
            failure_.stage = Stage::sent;
            upstream_error_.reset();
            co_return End::failed;
        }
        const End forwarded = co_await forward(out);
        if (forwarded != End::answered) {
            co_return forwarded;
        }
        if (relay.state() == StreamRelay::State::excepted) {
            co_return co_await break_stream(relay, std::string_view());
        }
        if (relay.state() == StreamRelay::State::garbled) {
            if (begun_) {
                co_return co_await break_stream(relay,
                                                "the stream's framing was damaged on its way");
            }
            set_failure(FailureClass::server, Stage::sent, "the stream's framing is damaged");
            co_return End::failed;
        }
    }

    if (!relay.ended_cleanly()) {
        if (begun_) {
            co_return co_await break_stream(relay, "the stream ended before the model had");
        }
        set_failure(FailureClass::reset, Stage::sent, "the stream ended before content");
        co_return End::failed;
    }
    release(true);
    usage_ = relay.usage();
    worker_.shared.gate->complete(id_, usage_);
    worker_.shared.metrics->count_attempt(target_region_, target_model_,
                                          observe::AttemptResult::ok);
    net::NetResult<void> ended;
    if (begun_) {
        ended = co_await downstream_.end();
    } else {  // an answer without content
        begun_ = true;
        status_ = head_.status;
        add_weir_fields();
        ended = co_await downstream_.send(status_, fields_, relay.held());
    }
    if (!ended) {
        outcome_ = Outcome::cancelled;
    }
    co_return End::answered;
}

net::Task<Exchange::End> Exchange::forward(const StreamRelay::Out& out) {
    for (const auto bytes : {out.first, out.second}) {
        if (bytes.empty()) {
            continue;
        }
        const auto written = co_await downstream_.write(bytes);
        if (!written) {
            co_return End::gone;
        }
    }
    co_return End::answered;
}

/// Content is with the client and more will not come. `why` empty: the service's own exception has
/// gone on.
net::Task<Exchange::End> Exchange::break_stream(StreamRelay& relay, std::string_view why) {
    usage_ = relay.usage();
    release(false);
    if (why.empty()) {
        failure_ = relay.failure();
    } else {
        set_failure(FailureClass::broken, Stage::begun, std::string(why));
        failure_.error_type = "ModelStreamErrorException";
    }
    failure_.cls = FailureClass::broken;
    failure_.stage = Stage::begun;
    failure_.seen = usage_;
    worker_.shared.metrics->count_attempt(target_region_, target_model_,
                                          observe::AttemptResult::broken);
    worker_.shared.gate->report(id_, failure_);
    outcome_ = Outcome::broken_stream;
    error_name_ = failure_.error_type;
    if (!why.empty()) {
        const auto event = broken_stream_event("weir: " + std::string(why) + ".");
        const auto written = co_await downstream_.write(event);
        if (!written) {
            downstream_.abort();
            co_return End::answered;
        }
    }
    const auto ended = co_await downstream_.end();
    if (!ended) {
        downstream_.abort();
    }
    co_return End::answered;
}

/// What weir does not limit: signed, sent to the home Region, handed back.
net::Task<void> Exchange::pass_on() {
    attempt_started_ = now();
    ++attempts_;
    target_region_ = home_region_;
    target_model_ = model_;
    Region* region = worker_.region(home_region_);
    const bool control = match_.operation == Operation::control_plane;
    End end = End::failed;
    for (int tries = 0; tries < 2; ++tries) {
        end = co_await fetch(*region, control, target_, body_, digest_);
        if (end == End::answered && (head_.status < 200 || head_.status > 299)) {
            end = co_await read_error();
        } else if (end == End::answered) {
            end = co_await relay_whole();
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
        outcome_ = Outcome::cancelled;
        status_ = status_ == 0 ? 499 : status_;
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
    timer.set_after(kRefreshTimeout);
    refreshing_ = true;
    region.keys->refresh(keys_, done);
    while (refreshing_ && !gone_) {
        co_await signal_.wait();
    }
}

// ---- what weir says itself
// ------------------------------------------------------------------------------

net::Task<void> Exchange::answer(const ErrorAnswer& error) {
    status_ = error.status;
    outcome_ = error.outcome;
    reason_ = error.reason;
    error_name_ = error.type;
    fields_.clear();
    append_error_fields(fields_, error);
    add_weir_fields();
    const auto body = error_body(error.message);
    const auto sent = co_await downstream_.send(error.status, fields_, body);
    if (!sent) {
        outcome_ = Outcome::cancelled;
    }
}

net::Task<void> Exchange::answer_refusal(const Refusal& refusal) {
    repeated_ = refusal.repeated;
    if (!refusal.upstream) {
        if (refusal.reason == RefusalReason::unavailable &&
            worker_.shared.refuse_waiting.load(std::memory_order_relaxed)) {
            ErrorAnswer stopping = refusal_answer(refusal, model_);
            stopping.message = "weir: this gateway is stopping.";
            stopping.reason = "draining";
            co_await answer(stopping);
            co_return;
        }
        const auto error = refusal_answer(refusal, model_);
        co_await answer(error);
        co_return;
    }
    const bool as_it_came = upstream_error_ &&
                            refusal.upstream->status == upstream_error_->failure.status &&
                            refusal.upstream->message == upstream_error_->failure.message;
    if (!as_it_came) {
        auto error = remembered_answer(*refusal.upstream);
        error.reason = refusal.repeated ? to_string(refusal.reason) : std::string_view();
        co_await answer(error);
        co_return;
    }
    const ErrorAnswer like = remembered_answer(*refusal.upstream);
    status_ = like.status;
    outcome_ = like.outcome;
    error_name_ = like.type;
    fields_ = upstream_error_->fields;
    if (status_ == 429 ||
        status_ == 503) {  // weir has tried what there was: the SDK's own tries are in vain
        append_field(fields_, "x-should-retry", "false");
    }
    add_weir_fields();
    const auto sent = co_await downstream_.send(status_, fields_, upstream_error_->body);
    if (!sent) {
        outcome_ = Outcome::cancelled;
    }
}

void Exchange::add_weir_fields() {
    append_field(fields_, "x-amzn-RequestId",
                 upstream_request_id_.empty() ? request_id_ : upstream_request_id_);
    append_field(fields_, "x-weir-request-id", request_id_);
    if (attempts_ > 0) {
        fields_ += "x-weir-target: ";
        fields_ += target_region_;
        if (!target_model_.empty()) {
            fields_ += '/';
            fields_ += target_model_;
        }
        fields_ += "\r\n";
    }
    append_field(fields_, "x-weir-attempts", std::to_string(attempts_));
    append_field(fields_, "x-weir-queued-ms", std::to_string(to_ms(queued_)));
    if (begun_ && grant_.degraded) {
        append_field(fields_, "x-weir-degraded", "true");
    }
}

// ---- before anything is sent
// ----------------------------------------------------------------------------

void Exchange::refuse(int status, std::string_view type, std::string message,
                      std::string_view reason) {
    ErrorAnswer error;
    error.status = status;
    error.type = type;
    error.message = std::move(message);
    error.reason = reason;
    if (status == 503) {
        error.outcome = Outcome::unavailable;
        error.retry_after = std::chrono::seconds(1);
    }
    error_ = std::move(error);
}

bool Exchange::admit() {
    const auto& head = downstream_.head();
    const auto& config = snapshot_->config;
    if (auto why = browser_refusal(head, config.listen, config.allowed_hosts); !why.empty()) {
        refuse(403, "AccessDeniedException", std::move(why), "browser");
        return false;
    }
    for (const auto& field : head.fields) {
        if (codec::equals_ignore_case(field.name, "via") && via_names_weir(field.value)) {
            refuse(508, "LoopDetectedException",
                   "weir: this request has been through weir before: a Region's endpoint leads "
                   "back here",
                   "loop");
            return false;
        }
    }
    const auto prefix = bedrock::split_client_prefix(head.target);
    target_ = prefix.rest;
    identity_ = identify(snapshot_->clients, head, prefix.name);
    match_ = bedrock::match(head.method, target_);
    model_ = snapshot_->model_name(match_.model);
    if (!admit_client()) {
        return false;
    }
    if (match_.operation == Operation::unknown) {
        refuse(404, "UnknownOperationException",
               "weir: no operation of Amazon Bedrock that weir passes on has this method and path");
        return false;
    }
    if (const auto* expect = head.find("expect"); expect != nullptr && !head.expect_continue) {
        refuse(417, "ValidationException",
               "weir: of all Expect values only 100-continue is understood");
        return false;
    }
    if (const auto* encoding = head.find("content-encoding");
        encoding != nullptr && !codec::equals_ignore_case(*encoding, "identity") &&
        !encoding->empty()) {
        refuse(415, "ValidationException",
               "weir: Content-Encoding " + std::string(encoding->substr(0, 40)) +
                   " is not taken: send the body as it is, so that its tokens can be counted");
        return false;
    }
    if (head.framing == codec::Framing::length && head.content_length > config.limits.max_body) {
        refuse(413, "ValidationException",
               "weir: the body has " + std::to_string(head.content_length) +
                   " bytes, limits.max_body allows " + std::to_string(config.limits.max_body));
        return false;
    }
    if (bedrock::is_inference(match_.operation)) {
        family_ = config.models.facts(model_).family;
    }
    return admit_region() && read_directives();
}

bool Exchange::admit_client() {
    if (!identity_.admitted) {
        refuse(403, "AccessDeniedException",
               identity_.key_given ? "weir: no client has this key"
                                   : "weir: a client key is needed here: Authorization: Bearer KEY "
                                     "(AWS_BEARER_TOKEN_BEDROCK) or "
                                     "x-api-key: KEY",
               "key");
        return false;
    }
    const auto* client = identity_.client;
    if (client == nullptr) {
        return true;
    }
    if (!client->models.empty() && !match_.model.empty() &&
        std::ranges::none_of(client->models, [&](const auto& glob) {
            return glob_match(glob, model_) || glob_match(glob, match_.model);
        })) {
        refuse(403, "AccessDeniedException",
               "weir: client " + client->name + " may not use model " + std::string(model_),
               "model");
        return false;
    }
    return true;
}

bool Exchange::admit_region() {
    const auto& config = snapshot_->config;
    if (const auto* authorization = downstream_.head().find("authorization")) {
        if (const auto signature = codec::parse_authorization(*authorization)) {
            home_region_ = signature->region;
        }
    }
    const bool signed_call = !home_region_.empty();
    if (!signed_call) {
        home_region_ = config.default_region;
        if (home_region_.empty() && config.regions.size() == 1) {
            home_region_ = config.regions.begin()->first;
        }
    }
    if (home_region_.empty()) {
        refuse(400, "ValidationException",
               "weir: this call is unsigned, so it names no Region, and there is no default_region "
               "(AWS_REGION) to "
               "send it to");
        return false;
    }
    if (worker_.region(home_region_) == nullptr) {
        std::string declared;
        for (const auto& [name, region] : config.regions) {
            declared += (declared.empty() ? "" : ", ") + name;
        }
        refuse(400, "ValidationException",
               "weir: Region " + std::string(home_region_.substr(0, 40)) +
                   ", which this call's signature names, is not " +
                   (declared.empty() ? "one" : "declared; declared are " + declared));
        return false;
    }
    const auto* client = identity_.client;
    if (client != nullptr && !client->regions.empty() &&
        std::ranges::find(client->regions, home_region_) == client->regions.end()) {
        refuse(403, "AccessDeniedException",
               "weir: client " + client->name + " may not use Region " + std::string(home_region_),
               "region");
        return false;
    }
    return true;
}

bool Exchange::read_directives() {
    const auto& head = downstream_.head();
    priority_ = identity_.client != nullptr ? identity_.client->priority : Priority::standard;
    if (const auto* asked = head.find("x-weir-priority")) {
        const auto priority = parse_priority(*asked);
        if (!priority) {
            refuse(400, "ValidationException",
                   "weir: x-weir-priority is interactive, standard or batch");
            return false;
        }
        priority_ = identity_.client != nullptr ? std::max(priority_, *priority) : *priority;
    }
    if (const auto* asked = head.find("x-weir-deadline-ms")) {
        const auto ms = parse_number<std::uint32_t>(*asked);
        if (!ms || *ms == 0 || *ms > 3'600'000) {
            refuse(400, "ValidationException",
                   "weir: x-weir-deadline-ms is a whole number from 1 to 3600000");
            return false;
        }
        deadline_ = std::chrono::milliseconds(*ms);
    }
    invocation_ = text_or(head, "amz-sdk-invocation-id").substr(0, 128);
    sdk_attempt_ = sdk_attempt_of(text_or(head, "amz-sdk-request"));
    return true;
}

/// Reads the body whole, hashing as it comes. False: the exchange is over.
net::Task<bool> Exchange::read_body() {
    const auto& limits = snapshot_->config.limits;
    const auto& head = downstream_.head();
    if (head.framing == codec::Framing::length) {
        body_.reserve(std::min<std::uint64_t>(head.content_length, 256UL << 10) + 64);
    }
    codec::Sha256 hash;
    for (;;) {
        const auto piece = co_await downstream_.read_body();
        if (!piece) {
            outcome_ = Outcome::cancelled;
            status_ = 499;
            co_return false;
        }
        if (piece->empty()) {
            break;
        }
        const auto total =
            worker_.shared.buffered.fetch_add(piece->size(), std::memory_order_relaxed) +
            piece->size();
        counted_bytes_ += piece->size();
        if (body_.size() + piece->size() > limits.max_body) {
            refuse(413, "ValidationException",
                   "weir: the body has more bytes than limits.max_body allows: " +
                       std::to_string(limits.max_body));
        } else if (total > limits.max_buffered) {
            refuse(503, "ServiceUnavailableException",
                   "weir: limits.max_buffered is reached: too many bytes of waiting requests are "
                   "held already",
                   "buffered");
        }
        if (error_) {
            const ErrorAnswer error = *error_;
            co_await answer(error);
            co_return false;
        }
        hash.update(*piece);
        body_.append(*piece);
    }
    digest_ = hash.finish();
    co_return true;
}

/// The request's head as it goes upstream, signed. False: there are no credentials.
bool Exchange::prepare_head(Region& region, bool control, std::string_view target,
                            std::size_t body_size, const codec::Digest& digest) {
    const auto& head = downstream_.head();
    const auto& endpoint = control ? region.control : region.runtime;
    keys_ = region.keys->get();
    const bool callers_own =
        snapshot_->config.credentials.source == CredentialsSource::client_bearer;
    if (keys_ == nullptr && !callers_own) {
        return false;
    }
    std::string prefixed;
    if (!endpoint.path_prefix.empty()) {
        prefixed = endpoint.path_prefix + std::string(target);
        target = prefixed;
    }
    auto& out = upstream_head_;
    out.clear();
    codec::append_request_line(out, head.method, target);
    append_field(out, "Host", endpoint.authority);
    if (head.method != "GET" || body_size > 0) {
        append_field(out, "Content-Length", std::to_string(body_size));
    }
    std::vector<std::string_view> unknown;
    append_forwarded_request_fields(out, head, unknown);
    for (std::size_t i = 0; i < unknown.size() && attempts_ <= 1; ++i) {
        worker_.shared.metrics->count_unknown_header();
    }
    append_field(out, "Via", "weir");
    if (callers_own || !keys_->bearer_token.empty()) {
        const auto token = callers_own ? bearer_key(head) : std::string_view(keys_->bearer_token);
        if (!token.empty()) {
            out += "Authorization: Bearer ";
            out += token;
            out += "\r\n";
        }
    } else {
        codec::SigningRequest request;
        request.method = head.method;
        request.target = target;
        std::array<codec::Field, 2> fields{codec::Field{"host", endpoint.authority},
                                           codec::Field{}};
        std::size_t count = 1;
        if (const auto* type = head.find("content-type")) {
            fields[count++] = codec::Field{"content-type", *type};
        }
        request.headers = std::span(fields.data(), count);
        request.body = digest;
        const codec::SigningCredentials credentials{keys_->access_key_id, keys_->secret_access_key,
                                                    keys_->session_token};
        const auto signature =
            worker_.signer.sign(request, credentials, region.name, unix_ms() / 1000);
        append_field(out, "X-Amz-Date", signature.amz_date);
        if (!keys_->session_token.empty()) {
            append_field(out, "X-Amz-Security-Token", keys_->session_token);
        }
        append_field(out, "Authorization", signature.authorization);
    }
    out += "\r\n";
    return true;
}

// ---- small parts
// ------------------------------------------------------------------------------------------

/// A response's head outlives the buffer it was read into: its body decides what becomes of it.
void Exchange::keep_head(const codec::Head& head) {
    head_bytes_.clear();
    std::size_t size = 0;
    for (const auto& [name, value] : head.fields) {
        size += name.size() + value.size();
    }
    head_bytes_.reserve(size);
    head_.clear();
    head_.status = head.status;
    head_.framing = head.framing;
    head_.content_length = head.content_length;
    for (const auto& [name, value] : head.fields) {
        const auto at = head_bytes_.size();
        head_bytes_.append(name).append(value);
        head_.fields.push_back(
            {std::string_view(head_bytes_).substr(at, name.size()),
             std::string_view(head_bytes_).substr(at + name.size(), value.size())});
    }
    fields_.clear();
    append_forwarded_response_fields(fields_, head_);
    upstream_request_id_ = text_or(head_, "x-amzn-requestid");
}

void Exchange::set_failure(FailureClass cls, Stage stage, std::string message) {
    failure_ = {};
    failure_.cls = cls;
    failure_.stage = stage;
    failure_.message = "weir: " + std::move(message);
    if (usage_.output > 0 || usage_.known) {
        failure_.seen = usage_;
    }
    upstream_error_.reset();
}

void Exchange::release(bool reusable) {
    if (connection_ != nullptr) {
        connection_->stream().clear_deadline();
        pool_->release(std::move(connection_), reusable);
    }
}

void Exchange::deliver(const Decision& decision) {
    decided_ = decision;
    signal_.notify();
}

void Exchange::refresh_ended() {
    refreshing_ = false;
    signal_.notify();
}

/// The client left: whatever is awaited ends now, and the path above sees gone_.
void Exchange::client_gone() {
    gone_ = true;
    if (connection_ != nullptr) {
        connection_->stream().interrupt();
    }
    interrupt_.raise();
    signal_.notify();
}

void Exchange::record() {
    const auto total = now() - started_;
    const bool inference = bedrock::is_inference(match_.operation);
    observe::RequestRecord r;
    r.model = model_;
    r.operation = bedrock::to_string(match_.operation);
    r.client = identity_.name;
    r.outcome = outcome_;
    r.refusal_reason = reason_;
    r.repeated = repeated_;
    r.sdk_retry = sdk_attempt_ > 1;
    r.total_seconds = to_seconds(total);
    r.queued_seconds = to_seconds(queued_);
    r.overhead_seconds = std::max(0.0, to_seconds(total - queued_ - upstream_time_));
    r.first_token_seconds = first_token_ ? to_seconds(*first_token_) : -1;
    r.region = target_region_;
    r.target_model = target_model_;
    r.usage = usage_;
    if (inference && attempts_ > 0) {
        r.reserved = grant_.reservation;
        r.input_estimate = facts_.input_estimate;
        if (usage_.known) {
            r.quota_tokens = usage_.input + usage_.cache_write +
                             usage_.output * snapshot_->burndown(target_region_, target_model_);
        }
        if (begun_ && (grant_.substituted || target_region_ != home_region_)) {
            r.fallback_from_region = home_region_;
            r.fallback_from_model = model_;
        }
    }
    worker_.shared.metrics->record(r);

    if (worker_.shared.access_log == nullptr) {
        return;
    }
    observe::AccessRecord a;
    a.unix_ms = unix_ms();
    a.id = request_id_;
    a.upstream_request_id = upstream_request_id_;
    a.sdk_invocation_id = invocation_;
    a.sdk_attempt = sdk_attempt_;
    a.client = identity_.name;
    a.operation = r.operation;
    a.model = model_;
    a.target_region = target_region_;
    a.target_model = target_model_;
    a.status = status_;
    a.error = error_name_;
    a.reason = reason_;
    a.outcome = observe::to_string(outcome_);
    a.attempts = attempts_;
    a.queued_ms = to_ms(queued_);
    if (first_token_) {
        a.ttft_ms = to_ms(*first_token_);
    }
    a.total_ms = to_ms(total);
    if (inference) {
        a.estimated_input = facts_.input_estimate;
        if (attempts_ > 0) {
            a.reserved = grant_.reservation;
        }
        a.max_tokens = facts_.max_output;
        a.stream = bedrock::is_stream(match_.operation);
        if (usage_.known) {
            a.input = usage_.input;
            a.output = usage_.output;
            a.cache_read = usage_.cache_read;
            a.cache_write = usage_.cache_write;
        }
    }
    std::string line;
    observe::append_access_line(line, a);
    worker_.shared.access_log->write(line);
}

}  // namespace weir::gateway
