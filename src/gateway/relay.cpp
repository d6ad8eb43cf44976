#include "gateway/relay.h"

#include "gateway/clock.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace weir::gateway {
namespace {

using net::NetError;
using observe::Outcome;

/// A whole answer up to this is held until it is complete.
constexpr std::uint64_t kMaxHeldAnswer = 1UL << 20;
constexpr Duration kErrorBodyTimeout = std::chrono::seconds(30);

}  // namespace

Relay::Turn Relay::fail(Failure failure) {
    ends_.attempt.release(false);
    failure_ = std::move(failure);
    return Turn::failed;
}

Relay::Turn Relay::break_off(Failure failure) {
    fail(std::move(failure));
    failure_.cls = FailureClass::broken;
    failure_.stage = Stage::begun;
    failure_.seen = usage();
    return Turn::broken;
}

Relay::Turn Relay::lose(const net::NetFailure& failure) {
    ends_.attempt.release(false);
    not_taken_ = failure;
    return Turn::gone;
}

Relay::Turn Relay::end_it(ErrorAnswer error) {
    ends_.attempt.release(false);
    error_ = std::move(error);
    return Turn::over;
}

Relay::Turn Relay::stopped() {
    if (ends_.stop.gone) {
        ends_.attempt.release(false);
        return Turn::gone;
    }
    return end_it(drained_answer());
}

// ---- whole

WholeAnswer::WholeAnswer(const Ends& ends, std::atomic<std::uint64_t>& buffered,
                         net::BufferShares::Holder holder, bedrock::AnswerReader& reader,
                         bedrock::Operation operation, bool says_text)
    : Relay(ends, buffered), reader_(reader), operation_(operation), says_text_(says_text) {
    // Beyond its client's share an answer is relayed as it comes; a stream's events are not judged
    // by it, because they cannot be.
    held_.belong_to(holder);
}

net::Task<Relay::Turn> WholeAnswer::judge() {
    const std::uint64_t most = ends_.limits.max_buffered;
    const codec::Head& head = ends_.attempt.head();
    auto& upstream = ends_.attempt.upstream();
    if (head.framing == codec::Framing::length && head.content_length <= kMaxHeldAnswer) {
        if (!held_.take(head.content_length, most)) {
            large_ = true;
            co_return Turn::flowing;
        }
        body_.reserve(head.content_length + 64);
    }
    for (;;) {
        const Patience left = ends_.attempt.clocks().left(Phase::whole, now());
        upstream.set_deadline(left.left);
        const auto piece = co_await upstream.read_body();
        if (ends_.stop.raised()) {
            co_return stopped();
        }
        if (!piece) {
            if (piece.error().error == NetError::timeout) {
                co_return fail(ends_.attempt.clocks().over(left.clock, Stage::sent, now()));
            }
            co_return fail(failed(FailureClass::timeout, Stage::sent, "the answer broke off"));
        }
        if (piece->empty()) {
            break;
        }
        body_.append(*piece);
        const bool counted = body_.size() <= held_.count() || held_.resize(body_.size(), most);
        if (!counted || body_.size() > kMaxHeldAnswer) {
            large_ = true;
            co_return Turn::flowing;
        }
        if (upstream.body_ended()) {
            break;
        }
    }
    ends_.attempt.release(true);
    complete_ = true;
    co_return Turn::complete;
}

net::Task<Relay::Turn> WholeAnswer::pass() {
    auto& upstream = ends_.attempt.upstream();
    const codec::Head& head = ends_.attempt.head();
    const auto length =
        head.framing == codec::Framing::length ? std::optional(head.content_length) : std::nullopt;
    auto sent = co_await ends_.client.begin(head.status, ends_.fields, length);
    std::string_view bytes = body_;
    while (sent) {
        // The client may take its time: the clocks of the place stand still meanwhile.
        upstream.clear_deadline();
        sent = co_await ends_.client.write(bytes);
        if (!sent) {
            break;
        }
        std::string().swap(body_);
        held_.give_back();
        const Patience left = ends_.attempt.clocks().left_for_piece(now());
        upstream.set_deadline(left.left);
        const auto piece = co_await upstream.read_body();
        if (!piece) {
            co_return broke_off(piece.error().error, left);
        }
        if (piece->empty()) {
            ends_.attempt.release(true);
            complete_ = true;
            co_return Turn::complete;
        }
        bytes = *piece;
    }
    co_return lose(sent.error());
}

Relay::Turn WholeAnswer::broke_off(NetError error, const Patience& left) {
    const bool late = left.clock == Clock::deadline && error == NetError::timeout;
    ends_.client.abort();
    if (ends_.stop.gone) {
        return stopped();
    }
    if (!ends_.stop.drained && !late) {
        broken_ = true;
        Failure failure = failed(FailureClass::broken, Stage::begun, "the answer broke off");
        failure.error_type = "IncompleteBody";
        return break_off(std::move(failure));
    }
    ErrorAnswer why;
    why.type = "IncompleteBody";
    why.outcome = ends_.stop.drained ? Outcome::drained : Outcome::deadline;
    end_it(std::move(why));
    return Turn::cut;
}

net::Task<net::NetResult<void>> WholeAnswer::end() {
    if (broken_) {  // and aborted
        co_return net::NetResult<void>();
    }
    if (large_) {
        co_return co_await ends_.client.end();
    }
    co_return co_await ends_.client.send(ends_.attempt.head().status, ends_.fields, body_);
}

Usage WholeAnswer::usage() {
    if (complete_ && !usage_) {
        usage_ = reader_.usage(operation_, ends_.attempt.head(), body_, says_text_);
    }
    return usage_.value_or(Usage());
}

// ---- errors

net::Task<ErrorRead> read_error(Attempt& attempt, const Stop& stop, std::uint64_t max_buffered,
                                std::atomic<std::uint64_t>& buffered, bedrock::AnswerReader& reader,
                                std::int64_t unix_seconds, std::string fields) {
    ErrorRead result;
    net::BufferedBytes held(buffered);
    std::string body;
    const Patience left = attempt.clocks().left(Phase::whole, now());
    attempt.upstream().set_deadline(std::min(left.left, kErrorBodyTimeout));
    bool whole = false;
    while (body.size() < kMaxHeldAnswer) {
        const auto piece = co_await attempt.upstream().read_body();
        if (stop.raised()) {
            attempt.release(false);
            result.stopped = true;
            co_return result;
        }
        if (!piece || piece->empty()) {
            whole = piece.has_value();
            break;
        }
        body.append(*piece);
        if (!held.resize(body.size(), max_buffered)) {
            break;  // its status says what it is
        }
    }
    const codec::Head& head = attempt.head();
    result.failure = reader.failure(head, body, unix_seconds);
    result.failure.stage = Stage::sent;
    if (!bedrock::AnswerReader::is_page(head, body)) {  // no SDK can read a page
        KeptAnswer kept;
        kept.status = head.status;
        kept.fields = std::move(fields);
        kept.body = std::move(body);
        kept.failure = result.failure;
        kept.bytes = std::move(held);
        result.kept = std::move(kept);
    }
    attempt.release(whole);
    co_return result;
}

}  // namespace weir::gateway
