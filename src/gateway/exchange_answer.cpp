// The way back: from the upstream's answer, or weir's own, to the client.
#include "gateway/exchange.h"

#include "bedrock/body_head.h"
#include "bedrock/json_peek.h"
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

/// A whole answer up to this is held until it is complete.
constexpr std::uint64_t kMaxHeldAnswer = 1UL << 20;
constexpr Duration kErrorBodyTimeout = std::chrono::seconds(30);

}  // namespace

net::Task<Exchange::End> Exchange::read_error() {
    const Patience left = patience_for(Phase::whole);
    connection_->stream().set_deadline(std::min(left.left, kErrorBodyTimeout));
    bool whole = false;
    answer_body_.clear();
    while (answer_body_.size() < kMaxHeldAnswer) {
        const auto piece = co_await connection_->read_body();
        if (stopped()) {
            co_return stopped_end();
        }
        if (!piece || piece->empty()) {
            whole = piece.has_value();
            break;
        }
        answer_body_.append(*piece);
        if (!answer_bytes_.resize(answer_body_.size(), snapshot_->config.limits.max_buffered)) {
            break;  // its status says what it is
        }
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
    const std::uint64_t most = snapshot_->config.limits.max_buffered;
    answer_body_.clear();
    answer_bytes_.resize(truncated_ ? truncated_->body.size() : 0, most);
    // Beyond its client's share an answer is relayed as it comes; a stream's events are not judged
    // by it, because they cannot be.
    answer_bytes_.belong_to(body_bytes_.holder());
    if (head_.framing == codec::Framing::length && head_.content_length <= kMaxHeldAnswer) {
        if (!answer_bytes_.take(head_.content_length, most)) {
            co_return co_await relay_large();
        }
        answer_body_.reserve(head_.content_length + 64);
    }
    for (;;) {
        const Patience left = patience_for(Phase::whole);
        connection_->stream().set_deadline(left.left);
        const auto piece = co_await connection_->read_body();
        if (stopped()) {
            co_return stopped_end();
        }
        if (!piece) {
            if (piece.error().error == NetError::timeout) {
                set_timed_out(left.clock, Stage::sent);
            } else {
                set_failure(FailureClass::timeout, Stage::sent, "the answer broke off");
            }
            co_return End::failed;
        }
        if (piece->empty()) {
            break;
        }
        answer_body_.append(*piece);
        const bool counted = answer_body_.size() <= answer_bytes_.count() ||
                             answer_bytes_.resize(answer_body_.size(), most);
        if (!counted || answer_body_.size() > kMaxHeldAnswer) {
            co_return co_await relay_large();
        }
        if (connection_->body_ended()) {
            break;
        }
    }
    release(true);
    if (bedrock::is_inference(match_.operation)) {
        if (grant_.right_sized) {
            usage_ = worker_.answers.usage(match_.operation, head_, answer_body_, says_text_);
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
    } else {
        finish_passed_on();
    }
    free_body();
    status_ = head_.status;
    begun_ = true;
    add_weir_fields();
    const auto sent = co_await downstream_.send(status_, fields_, answer_body_);
    if (!sent) {
        lost(sent.error());
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
        usage_ = worker_.answers.usage(match_.operation, head_, answer_body_, says_text_);
        worker_.shared.gate->complete(id_, usage_);
        worker_.shared.metrics->count_attempt(target_region_, target_model_,
                                              observe::AttemptResult::ok);
    } catch (const std::exception& error) {  // out of memory: what was held stays until it expires
        worker_.shared.log(LogLevel::error, error.what());
        abandon();
    }
}

/// The rest of an answer too large to hold. What has come of it is in answer_body_.
net::Task<Exchange::End> Exchange::relay_large() {
    const bool inference = bedrock::is_inference(match_.operation);
    if (match_.operation == Operation::responses) {  // its id comes first
        remember_response(bedrock::string_member(answer_body_, "\"id\"").value_or(""));
    }
    if (inference) {
        worker_.shared.gate->began(id_);
    }
    begun_ = true;
    free_body();
    status_ = head_.status;
    add_weir_fields();
    const auto length = head_.framing == codec::Framing::length
                            ? std::optional(head_.content_length)
                            : std::nullopt;
    auto sent = co_await downstream_.begin(status_, fields_, length);
    std::string_view bytes = answer_body_;
    while (sent) {
        // The client may take its time: the clocks of the place stand still meanwhile.
        connection_->stream().clear_deadline();
        sent = co_await downstream_.write(bytes);
        if (!sent) {
            break;
        }
        std::string().swap(answer_body_);
        answer_bytes_.give_back();
        Duration left = snapshot_->config.timeouts.idle;
        const Duration asked = times_.asked ? times_.deadline - now() : left;
        const bool late = asked < left;  // x-weir-deadline-ms bounds the complete answer
        if (late) {
            left = std::max(asked, Duration(std::chrono::milliseconds(1)));
        }
        connection_->stream().set_deadline(left);
        const auto piece = co_await connection_->read_body();
        if (!piece) {
            const bool in_time = !late || piece.error().error != NetError::timeout;
            if (drained_ || (!gone_ && !in_time)) {
                outcome_ = drained_ ? Outcome::drained : Outcome::deadline;
                error_name_ = "IncompleteBody";
                worker_.shared.gate->cancel(id_, std::nullopt);
            } else if (!gone_) {
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
                usage_ = worker_.answers.usage(match_.operation, head_, answer_body_, says_text_);
                worker_.shared.gate->settle(id_, usage_);
                worker_.shared.metrics->count_attempt(target_region_, target_model_,
                                                      observe::AttemptResult::ok);
            }
            const auto ended = co_await downstream_.end();
            if (!ended) {
                lost(ended.error());
            }
            co_return End::answered;
        }
        bytes = *piece;
    }
    lost(sent.error());
    co_return End::gone;
}

// ---- what weir says itself

net::Task<void> Exchange::answer(const ErrorAnswer& plain) {
    if (downstream_.answered()) {
        co_return co_await answer_in_stream(plain);
    }
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
        lost(sent.error());
    }
}

/// The head of a stream is with the client already: the error is the stream's end.
net::Task<void> Exchange::answer_in_stream(const ErrorAnswer& plain) {
    const ErrorAnswer error = in_dialect(dialect_, plain);
    outcome_ = error.outcome;
    reason_ = error.reason;
    error_name_ = error.type;
    const auto event = error_event(match_.operation, error);
    auto sent = co_await downstream_.write(event);
    if (sent) {
        sent = co_await downstream_.end();
    }
    if (!sent) {
        lost(sent.error());
        downstream_.abort();
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
        lost(sent.error());
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
            const ErrorAnswer stopping = draining_answer();
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
                            !downstream_.answered() && speaks(dialect_, upstream_error_->body);
    if (!as_it_came) {
        auto error = remembered_answer(*refusal.upstream);
        error.reason = refusal.repeated ? to_string(refusal.reason) : std::string_view();
        if (deadline_over_) {
            error.outcome = Outcome::deadline;
        }
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
        lost(sent.error());
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
