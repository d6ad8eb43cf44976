// A stream on its way back: held until it is known good, then handed on message by message.
#include "gateway/relay.h"

#include "bedrock/service_tier.h"
#include "gateway/clock.h"

#include <chrono>
#include <utility>

namespace weir::gateway {
namespace {

using net::NetError;

/// What a stream may hold without its being counted: many have a part of a message at hand.
constexpr std::size_t kUncounted = 64UL << 10;

}  // namespace

StreamAnswer::StreamAnswer(const Ends& ends, std::atomic<std::uint64_t>& buffered,
                           StreamRelay& events, bool& opened, Named named, void* context)
    : Relay(ends, buffered), events_(events), opened_(opened), named_(named), context_(context) {
    if (answered()) {  // by an earlier attempt's opening
        events_.release(opened_);
    }
}

net::Task<Relay::Turn> StreamAnswer::judge() {
    auto& upstream = ends_.attempt.upstream();
    Clocks& clocks = ends_.attempt.clocks();
    while (!last_) {
        const Instant asked = now();
        const Patience left = clocks.left(Phase::opening, asked);
        const Duration hold = clocks.hold_left(asked);
        const bool holding = !answered() && hold < left.left;
        upstream.set_deadline(holding ? hold : left.left);
        const auto piece = co_await upstream.read_body();
        // The client may take its time for what comes now: the place's clocks stand still.
        upstream.clear_deadline();
        if (ends_.stop.raised()) {
            co_return stopped();
        }
        if (!piece) {
            const bool slow = piece.error().error == NetError::timeout;
            if (slow && holding) {
                upstream.rearm();
                const auto shown = co_await show_life();
                if (!shown) {
                    co_return lose(shown.error());
                }
                continue;
            }
            if (slow) {
                co_return fail(clocks.over(left.clock, Stage::sent, now()));
            }
            co_return fail(
                failed(FailureClass::reset, Stage::sent, "the stream broke off before content"));
        }
        take(*piece);
        if (events_.begun()) {
            co_return Turn::flowing;
        }
        const Turn turn = co_await forward();
        if (turn != Turn::flowing) {
            co_return turn;
        }
    }
    co_return finish();
}

net::Task<Relay::Turn> StreamAnswer::pass() {
    begun_ = true;
    if (!answered()) {
        const auto begun =
            co_await ends_.client.begin(ends_.attempt.head().status, ends_.fields, std::nullopt);
        if (!begun) {
            co_return lose(begun.error());
        }
    }
    auto& upstream = ends_.attempt.upstream();
    for (;;) {
        const Turn turn = co_await forward();
        if (turn != Turn::flowing) {
            co_return turn;
        }
        if (last_) {
            co_return finish();
        }
        upstream.set_deadline(ends_.attempt.clocks().left(Phase::content, now()).left);
        const auto piece = co_await upstream.read_body();
        upstream.clear_deadline();
        if (ends_.stop.gone && events_.ended_cleanly() && usage().known) {
            ends_.attempt.release(false);  // OpenAI's SDK leaves at [DONE]: it has had all of it
            co_return Turn::complete;
        }
        if (ends_.stop.raised()) {
            co_return stopped();
        }
        if (!piece) {
            why_ = "the stream broke off";
            co_return finish();
        }
        take(*piece);
    }
}

void StreamAnswer::take(std::string_view piece) {
    last_ = piece.empty();
    out_ = last_ ? events_.finish() : events_.take(piece);
    opened_ = opened_ || events_.opened();
    if (!named_already_ && !events_.response_id().empty()) {
        named_already_ = true;
        named_(context_, events_.response_id());
    }
}

/// What take() let through, and what else it found.
net::Task<Relay::Turn> StreamAnswer::forward() {
    if (events_.state() == StreamRelay::State::failed) {
        Failure failure = events_.failure();
        failure.stage = Stage::sent;
        co_return fail(std::move(failure));
    }
    for (const auto bytes : {out_.first, out_.second}) {
        if (bytes.empty()) {
            continue;
        }
        const auto written = co_await ends_.client.write(bytes);
        if (!written) {
            co_return lose(written.error());
        }
    }
    switch (events_.state()) {
        case StreamRelay::State::excepted:
            broken_ = true;
            co_return break_off(events_.failure());
        case StreamRelay::State::too_large:
            co_return end_it(too_large_answer("one event of the stream"));
        case StreamRelay::State::garbled:
            why_ = "the stream's framing was damaged on its way";
            co_return finish();
        case StreamRelay::State::holding:
        case StreamRelay::State::flowing:
        case StreamRelay::State::failed:
            break;
    }
    const std::size_t memory = events_.memory();
    if (!held_.resize(memory > kUncounted ? memory : 0, ends_.limits.max_buffered)) {
        co_return end_it(buffered_answer());
    }
    co_return Turn::flowing;
}

/// timeouts.hold is over without content: the client is to see that somebody is at work. Another
/// attempt stays possible.
net::Task<net::NetResult<void>> StreamAnswer::show_life() {
    auto sent =
        co_await ends_.client.begin(ends_.attempt.head().status, ends_.fields, std::nullopt);
    const std::string_view early = events_.release(opened_);
    opened_ = events_.opened();
    if (sent && early.empty()) {
        sent = co_await ends_.client.flush();
    } else if (sent) {
        sent = co_await ends_.client.write(early);
    }
    co_return sent;
}

/// The upstream has said all, or what it says is not to be read.
Relay::Turn StreamAnswer::finish() {
    const bool damaged = events_.state() == StreamRelay::State::garbled;
    if (why_.empty() && events_.ended_cleanly()) {
        ends_.attempt.release(true);
        return Turn::complete;
    }
    if (why_.empty()) {
        why_ = "the stream ended before the model had";
    }
    if (begun_) {
        broken_ = true;
        Failure failure = failed(FailureClass::broken, Stage::begun, why_);
        failure.error_type = "ModelStreamErrorException";
        return break_off(std::move(failure));
    }
    // The service had accepted the call with status 200, so it may charge for it.
    return fail(
        failed(FailureClass::reset, Stage::sent,
               damaged ? "the stream's framing is damaged" : "the stream ended before content"));
}

net::Task<net::NetResult<void>> StreamAnswer::end() {
    auto& client = ends_.client;
    net::NetResult<void> sent;
    if (ends_.stop.gone) {
        client.abort();
        co_return sent;
    }
    if (broken_) {
        if (!why_.empty()) {
            const auto event = events_.broken_end("weir: " + std::string(why_) + ".");
            sent = co_await client.write(event);
        }
        if (sent) {
            sent = co_await client.end();
        }
        if (!sent) {
            client.abort();
        }
        co_return sent;
    }
    if (!answered()) {  // an answer without content
        co_return co_await client.send(ends_.attempt.head().status, ends_.fields, events_.held());
    }
    if (!begun_ && !events_.held().empty()) {
        sent = co_await client.write(events_.held());
    }
    if (sent) {
        sent = co_await client.end();
    }
    co_return sent;
}

Usage StreamAnswer::usage() {
    Usage usage = events_.usage();
    if (usage.tier == Tier::unset) {  // the streams of InvokeModel name it in their head
        usage.tier = bedrock::served_tier(ends_.attempt.head());
    }
    return usage;
}

}  // namespace weir::gateway
