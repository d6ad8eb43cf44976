#include "gateway/attempt.h"

#include "gateway/clock.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace weir::gateway {
namespace {

using net::NetError;

/// A server that turns a request away before it has read it all has answered by then. One that
/// small is taken at once or not at all: what is there to read then came before the question.
constexpr Duration kEarlyAnswer = std::chrono::seconds(1);
constexpr std::size_t kTakenAtOnce = 16UL << 10;

std::string why_unreachable(std::string_view place, const net::NetFailure& failure) {
    std::string why = "no connection to " + std::string(place) + ": " +
                      std::string(failure.error == NetError::dns ? "its name was not resolved"
                                                                 : to_string(failure.error));
    if (failure.code) {
        why += " (" + failure.code.message() + ")";
    }
    return why;
}

}  // namespace

Attempt::End Attempt::fail(Failure failure) {
    release(false);
    failure_ = std::move(failure);
    return End::failed;
}

void Attempt::connect_late() {
    late_ = true;
    interrupt_.raise();
}

net::Task<Attempt::End> Attempt::connect(bool fresh) {
    connection_ = fresh ? nullptr : upstreams_.take_idle();
    if (connection_ != nullptr) {
        co_return stop_.raised() ? End::stopped : End::done;
    }
    const Instant asked = now();
    left_ = clocks_.left(Phase::connecting, asked);
    net::Timer timer(
        loop_.wheel(), [](void* self) { static_cast<Attempt*>(self)->connect_late(); }, this);
    if (left_.clock != Clock::idle) {  // timeouts.connect is the pool's to keep
        timer.set_after(left_.left);
    }
    auto made = co_await upstreams_.connect(interrupt_);
    const Instant at = now();
    connecting_ = at - asked;
    if (stop_.raised()) {
        connection_ = made ? std::move(*made) : nullptr;
        co_return End::stopped;
    }
    if (late_) {
        connection_ = made ? std::move(*made) : nullptr;
        co_return fail(clocks_.over(left_.clock, Stage::not_sent, at));
    }
    if (!made) {
        unreachable_ = why_unreachable(place_, made.error());
        co_return fail(failed(FailureClass::network, Stage::not_sent, unreachable_));
    }
    connection_ = std::move(*made);
    co_return End::done;
}

net::Task<Attempt::End> Attempt::write(std::string_view head, std::string_view body) {
    left_ = clocks_.left(Phase::sending, now());
    connection_->set_deadline(left_.left);
    const auto sent = co_await connection_->write(head, body);
    if (stop_.raised()) {
        co_return End::stopped;
    }
    const Instant at = now();
    clocks_.sent(at);
    written_ = sent.has_value();
    if (written_) {
        co_return End::done;
    }
    if (sent.error().error == NetError::timeout) {
        co_return fail(clocks_.over(left_.clock, Stage::not_sent, at));
    }
    const bool may_have_answered =
        sent.error().error == NetError::reset && body.size() > kTakenAtOnce;
    co_return may_have_answered ? End::done : no_head(sent.error().error);
}

net::Task<Attempt::End> Attempt::read_head() {
    if (written_) {
        left_ = clocks_.left(Phase::waiting, clocks_.times().sent);
        connection_->set_deadline(left_.left);
    } else {
        connection_->set_deadline(std::min(left_.left, kEarlyAnswer));
    }
    const auto head = co_await connection_->read_head();
    if (stop_.raised()) {
        co_return End::stopped;
    }
    if (!head) {
        co_return no_head(head.error().error);
    }
    if ((*head)->status > 599) {
        co_return fail(
            failed(FailureClass::server, Stage::sent,
                   "the answer's status is none of HTTP's: " + std::to_string((*head)->status)));
    }
    keep(**head);
    co_return End::done;
}

/// The connection ended before a head came.
Attempt::End Attempt::no_head(NetError error) {
    const Instant at = now();
    BrokenSend send;
    send.reused = connection_->reused();
    send.write_failed = !written_;
    send.closed = error == NetError::closed || error == NetError::reset;
    send.any_bytes = connection_->any_bytes_received();
    send.since_written = at - clocks_.times().sent;
    if (had_been_closed(send)) {
        kept_had_closed_ = true;
        Failure failure =
            failed(FailureClass::network, Stage::not_sent,
                   "a kept connection to " + std::string(place_) + " had been closed");
        failure.blameless = true;
        return fail(std::move(failure));
    }
    if (!written_) {
        return fail(
            failed(FailureClass::network, Stage::not_sent, "the request could not be written"));
    }
    if (error == NetError::timeout) {
        return fail(clocks_.over(left_.clock, Stage::sent, at));
    }
    if (send.closed) {
        return fail(
            failed(FailureClass::reset, Stage::sent, "the connection broke before an answer came"));
    }
    return fail(failed(FailureClass::server, Stage::sent, "the answer was not HTTP"));
}

/// A response's head outlives the buffer it was read into: its body decides what becomes of it.
void Attempt::keep(const codec::Head& head) {
    // All fields lie in one piece of the connection's buffer.
    const char* const from = head.fields.empty() ? nullptr : head.fields.front().name.data();
    if (from != nullptr) {
        const std::string_view last = head.fields.back().value;
        head_bytes_.assign(from, last.data() + last.size());
    }
    head_.clear();
    head_.fields.reserve(head.fields.size());
    head_.status = head.status;
    head_.framing = head.framing;
    head_.content_length = head.content_length;
    const auto kept = [&](std::string_view text) {
        return std::string_view(head_bytes_.data() + (text.data() - from), text.size());
    };
    for (const auto& [name, value] : head.fields) {
        head_.add({kept(name), kept(value)});
    }
}

void Attempt::release(bool reusable) {
    if (connection_ != nullptr) {
        connection_->clear_deadline();
        upstreams_.release(std::move(connection_), reusable);
    }
}

void Attempt::interrupt() {
    if (connection_ != nullptr) {
        connection_->interrupt();
    }
    interrupt_.raise();
}

}  // namespace weir::gateway
