// A stream on its way back: held until it is known good, then relayed message by message.
#include "gateway/exchange.h"

#include "gateway/dialect.h"

#include <algorithm>

namespace weir::gateway {
namespace {

using net::NetError;
using observe::Outcome;

/// What a stream may hold without its being counted: many have a part of a message at hand.
constexpr std::size_t kUncounted = 64UL << 10;

}  // namespace

net::Task<Exchange::End> Exchange::relay_stream(StreamRelay& relay) {
    const auto& timeouts = snapshot_->config.timeouts;
    if (downstream_.answered()) {  // by an earlier attempt's opening
        relay.release(opened_);
    }
    for (;;) {
        Patience left{timeouts.idle, Clock::idle};
        bool holding = false;
        if (!begun_) {
            const Instant at = now();
            left = patience(timeouts, times_, Phase::opening, at);
            const Duration hold = hold_left(timeouts, attempt_started_, at);
            holding = !downstream_.answered() && hold < left.left;
            left.left = holding ? hold : left.left;
        }
        connection_->stream().set_deadline(left.left);
        const auto piece = co_await connection_->read_body();
        // The client may take its time for what comes now: the place's clocks stand still.
        connection_->stream().clear_deadline();
        usage_ = relay.usage();
        if (gone_ && begun_ && relay.ended_cleanly() && usage_.known) {
            release(false);  // OpenAI's SDK leaves at [DONE]: it has had all of it
            break;
        }
        if (stopped()) {
            if (!gone_ && begun_) {
                ErrorAnswer stopping = draining_answer();
                stopping.outcome = Outcome::drained;
                co_return co_await cut_stream(relay, stopping);
            }
            co_return stopped_end();
        }
        if (!piece) {
            const bool slow = piece.error().error == NetError::timeout;
            if (slow && holding) {
                connection_->stream().rearm();
                const End shown = co_await show_life(relay);
                if (shown != End::answered) {
                    co_return shown;
                }
                continue;
            }
            if (begun_) {
                co_return co_await break_stream(relay, "the stream broke off");
            }
            if (slow) {
                set_timed_out(left.clock, Stage::sent);
            } else {
                set_failure(FailureClass::reset, Stage::sent,
                            "the stream broke off before content");
            }
            co_return End::failed;
        }
        const bool last = piece->empty();
        const auto out = last ? relay.finish() : relay.take(*piece);
        if (kept_as_.empty() && !relay.response_id().empty()) {
            remember_response(relay.response_id());  // its client may ask for it, or cancel it, now
        }
        const End end = co_await forward(relay, out);
        if (end != End::answered || connection_ == nullptr) {
            co_return end;
        }
        if (last) {
            break;
        }
    }
    co_return co_await finish_stream(relay);
}

/// What take() let through, and what else it found. `answered` without a connection: the end.
net::Task<Exchange::End> Exchange::forward(StreamRelay& relay, const StreamRelay::Out& out) {
    opened_ = opened_ || relay.opened();
    if (relay.begun() && !begun_) {
        begun_ = true;
        first_token_ = now() - started_;
        worker_.shared.gate->began(id_);
        free_body();
        if (!downstream_.answered()) {
            status_ = head_.status;
            add_weir_fields();
            const auto begun = co_await downstream_.begin(status_, fields_, std::nullopt);
            if (!begun) {
                lost(begun.error());
                co_return End::gone;
            }
        }
    }
    if (relay.state() == StreamRelay::State::failed) {
        failure_ = relay.failure();
        failure_.stage = Stage::sent;
        upstream_error_.reset();
        co_return End::failed;
    }
    for (const auto bytes : {out.first, out.second}) {
        if (bytes.empty()) {
            continue;
        }
        const auto written = co_await downstream_.write(bytes);
        if (!written) {
            usage_ = relay.usage();
            lost(written.error());
            co_return End::gone;
        }
    }
    if (relay.state() == StreamRelay::State::excepted) {
        co_return co_await break_stream(relay, std::string_view());
    }
    if (relay.state() == StreamRelay::State::too_large) {
        const ErrorAnswer error = too_large_answer("one event of the stream");
        if (begun_) {
            co_return co_await cut_stream(relay, error);
        }
        co_return give_up(error);
    }
    if (relay.state() == StreamRelay::State::garbled) {
        if (begun_) {
            co_return co_await break_stream(relay, "the stream's framing was damaged on its way");
        }
        set_failure(FailureClass::server, Stage::sent, "the stream's framing is damaged");
        co_return End::failed;
    }
    const std::size_t held = relay.memory();
    if (!answer_bytes_.resize(held > kUncounted ? held : 0,
                              snapshot_->config.limits.max_buffered)) {
        const ErrorAnswer error = buffered_answer();
        if (begun_) {
            co_return co_await cut_stream(relay, error);
        }
        co_return give_up(error);
    }
    co_return End::answered;
}

/// timeouts.hold is over without content: the client is to see that somebody is at work. Another
/// attempt stays possible.
net::Task<Exchange::End> Exchange::show_life(StreamRelay& relay) {
    status_ = head_.status;
    add_weir_fields();
    auto sent = co_await downstream_.begin(status_, fields_, std::nullopt);
    const std::string_view early = relay.release(opened_);
    opened_ = relay.opened();
    if (sent && early.empty()) {
        sent = co_await downstream_.flush();
    } else if (sent) {
        sent = co_await downstream_.write(early);
    }
    if (!sent) {
        lost(sent.error());
        co_return End::gone;
    }
    co_return End::answered;
}

/// The upstream body has ended.
net::Task<Exchange::End> Exchange::finish_stream(StreamRelay& relay) {
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
    } else if (downstream_.answered()) {
        if (!begun_ && !relay.held().empty()) {
            ended = co_await downstream_.write(relay.held());
        }
        begun_ = true;
        if (ended) {
            ended = co_await downstream_.end();
        }
    } else {  // an answer without content
        begun_ = true;
        status_ = head_.status;
        add_weir_fields();
        ended = co_await downstream_.send(status_, fields_, relay.held());
    }
    if (!ended) {
        lost(ended.error());
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
    auto ended = net::NetResult<void>();
    if (!why.empty()) {
        const auto event = relay.broken_end("weir: " + std::string(why) + ".");
        ended = co_await downstream_.write(event);
    }
    if (ended) {
        ended = co_await downstream_.end();
    }
    if (!ended) {
        downstream_.abort();
    }
    co_return End::answered;
}

/// The same where weir itself ends it: no place is to blame.
net::Task<Exchange::End> Exchange::cut_stream(StreamRelay& relay, const ErrorAnswer& error) {
    usage_ = relay.usage();
    release(false);
    worker_.shared.gate->cancel(id_, usage_);
    co_await answer_in_stream(error);
    co_return End::answered;
}

}  // namespace weir::gateway
