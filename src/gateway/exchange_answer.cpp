// The way back: from the upstream's answer, or weir's own, to the client.
#include "gateway/exchange.h"

#include "bedrock/body_head.h"
#include "codec/clean.h"
#include "gateway/dialect.h"
#include "gateway/header_rules.h"

#include <algorithm>
#include <utility>

namespace weir::gateway {
namespace {

using bedrock::Operation;
using codec::append_field;
using net::NetError;
using observe::Outcome;

constexpr std::uint64_t kMaxHeldAnswer = 1UL << 20;
constexpr Duration kErrorBodyTimeout = std::chrono::seconds(30);

}  // namespace

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
    upstream_error_.reset();
    if (!bedrock::AnswerReader::is_page(head_, answer_body_)) {  // no SDK can read a page
        upstream_error_ = UpstreamError{failure_, fields_, std::move(answer_body_)};
    }
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
        if (connection_->body_ended()) {
            break;
        }
    }
    release(true);
    if (bedrock::is_inference(match_.operation)) {
        if (grant_.right_sized) {
            usage_ = worker_.answers.usage(match_.operation, head_, answer_body_);
            // Whatever the family calls it: an answer as long as it was let be has been cut.
            if (usage_.known && usage_.output >= *grant_.max_output) {
                hold_truncated();
                co_return End::failed;
            }
        }
        bedrock::AnswerReader::make_room(answer_body_);
        unsettled_ = true;
        if (match_.operation == Operation::responses) {  // the client's next request builds on it
            settle_whole();
            remember_response(bedrock::response_id(answer_body_));
        } else {
            worker_.settle_soon(id_);
        }
    }
    status_ = head_.status;
    begun_ = true;
    add_weir_fields();
    const auto sent = co_await downstream_.send(status_, fields_, answer_body_);
    if (!sent) {
        outcome_ = Outcome::cancelled;
    }
    co_await worker_.loop.soon();
    settle_whole();
    co_return End::answered;
}

/// The client's bytes go first, where its connection is its own; this comes in the same turn of the
/// loop, however long the client takes for them.
void Exchange::settle_whole() noexcept {
    if (!std::exchange(unsettled_, false)) {
        return;
    }
    try {
        usage_ = worker_.answers.usage(match_.operation, head_, answer_body_);
        worker_.shared.gate->complete(id_, usage_);
        worker_.shared.metrics->count_attempt(target_region_, target_model_,
                                              observe::AttemptResult::ok);
    } catch (const std::exception& error) {  // out of memory: what was held stays until it expires
        worker_.shared.log(LogLevel::error, error.what());
        abandon();
    }
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

net::Task<Exchange::End> Exchange::relay_stream(StreamRelay& relay) {
    const auto& timeouts = snapshot_->config.timeouts;
    for (;;) {
        const Duration patience = relay.begun()
                                      ? timeouts.idle
                                      : std::max(timeouts.first_event - (now() - attempt_started_),
                                                 Duration(std::chrono::milliseconds(1)));
        connection_->stream().set_deadline(std::min(patience, timeouts.answer));
        const auto piece = co_await connection_->read_body();
        usage_ = relay.usage();
        if (gone_ && begun_ && relay.ended_cleanly() && usage_.known) {
            release(false);  // OpenAI's SDK leaves at [DONE]: it has had all of it
            break;
        }
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
    if (gone_) {
        downstream_.abort();
    } else if (begun_) {
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
        const auto event = relay.broken_end("weir: " + std::string(why) + ".");
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

// ---- what weir says itself

net::Task<void> Exchange::answer(const ErrorAnswer& plain) {
    const ErrorAnswer error = in_dialect(dialect_, plain);
    status_ = error.status;
    outcome_ = error.outcome;
    reason_ = error.reason;
    error_name_ = error.type;
    fields_.clear();
    append_error_fields(fields_, error);
    append_request_id(fields_, dialect_, request_id_);
    add_weir_fields();
    const auto body = error_body(dialect_, error, request_id_);
    const auto sent = co_await downstream_.send(error.status, fields_, body);
    if (!sent) {
        outcome_ = Outcome::cancelled;
    }
}

void Exchange::hold_truncated() {
    failure_ = {};
    failure_.cls = FailureClass::truncated;
    failure_.stage = Stage::sent;
    failure_.status = head_.status;
    failure_.seen = usage_;
    upstream_error_.reset();
    truncated_ =
        Truncated{head_.status, fields_, std::move(answer_body_), upstream_request_id_, usage_};
    answer_body_.clear();
    usage_ = {};
}

net::Task<void> Exchange::answer_truncated() {
    status_ = truncated_->status;
    begun_ = true;
    fields_ = truncated_->fields;
    upstream_request_id_ = truncated_->upstream_request_id;
    add_weir_fields();
    const auto sent = co_await downstream_.send(status_, fields_, truncated_->body);
    if (!sent) {
        outcome_ = Outcome::cancelled;
    }
}

net::Task<void> Exchange::answer_refusal(const Refusal& refusal) {
    if (truncated_) {
        co_return co_await answer_truncated();
    }
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
                            refusal.upstream->message == upstream_error_->failure.message &&
                            speaks(dialect_, upstream_error_->body);
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

/// A response's head outlives the buffer it was read into: its body decides what becomes of it.
void Exchange::keep_head(const codec::Head& head) {
    // All fields lie in one piece of the connection's buffer.
    head_bytes_.clear();
    const char* const from = head.fields.empty() ? nullptr : head.fields.front().name.data();
    if (from != nullptr) {
        const std::string_view last = head.fields.back().value;
        head_bytes_.assign(from, last.data() + last.size());
    }
    head_.clear();
    head_.status = head.status;
    head_.framing = head.framing;
    head_.content_length = head.content_length;
    const auto kept = [&](std::string_view text) {
        return std::string_view(head_bytes_.data() + (text.data() - from), text.size());
    };
    for (const auto& [name, value] : head.fields) {
        head_.add({kept(name), kept(value)});
    }
    fields_.clear();
    fields_.reserve(512);
    append_forwarded_response_fields(fields_, head_);
    upstream_request_id_ = codec::clean_id(text_of(head_, "x-amzn-requestid"));
}

}  // namespace weir::gateway
