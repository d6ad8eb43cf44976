// One send: a connection, the request, the head of its answer, each within its time.
#include "gateway/exchange.h"

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
/// Silence shorter than this says nothing of a place, where the caller alone chose it.
constexpr Duration kTellingSilence = std::chrono::seconds(20);

std::string in_ms(Duration time) {
    return std::to_string(to_ms(time)) + " ms";
}

}  // namespace

void Exchange::begin_attempt(bool elsewhere, Instant deadline) {
    ++attempts_;
    usage_ = {};  // of this attempt, should the client leave
    deadline_over_ = false;
    attempt_started_ = now();
    times_.stream = stream_;
    times_.asked = deadline_.has_value();
    times_.elsewhere = elsewhere;
    times_.deadline = deadline;
    times_.started = times_.sent = attempt_started_;
}

Patience Exchange::patience_for(Phase phase) const {
    return patience(snapshot_->config.timeouts, times_, phase, now());
}

/// A clock has ended the attempt.
void Exchange::set_timed_out(Clock clock, Stage stage) {
    const Instant at = now();
    const auto cls = stage == Stage::not_sent ? FailureClass::network : FailureClass::timeout;
    switch (clock) {
        case Clock::deadline:
            set_failure(cls, stage,
                        "no answer within the deadline of this call, " + in_ms(at - started_) +
                            " after it came");
            failure_.status = 504;
            deadline_over_ = true;
            break;
        case Clock::elsewhere:
            set_failure(cls, stage,
                        "no answer in " + in_ms(at - attempt_started_) +
                            ": what is left of the deadline is another target's");
            break;
        case Clock::first_event:
        case Clock::answer:
        case Clock::idle:
            set_failure(cls, stage, "no answer in time");
            break;
    }
    failure_.blameless = times_.asked && at - attempt_started_ < kTellingSilence;
}

void Exchange::connect_late() {
    late_ = true;
    interrupt_.raise();
}

/// False: failure_ is set, or the call has been stopped.
net::Task<bool> Exchange::connect(Region& region) {
    interrupt_ = {};
    late_ = false;
    net::NetResult<std::unique_ptr<net::UpstreamConnection>> acquired =
        std::exchange(fresh_, false) ? nullptr : pool_->take_idle();
    Duration waited{};
    if (acquired && *acquired == nullptr) {
        const auto asked = now();
        const auto& timeouts = snapshot_->config.timeouts;
        const Patience left = patience(timeouts, times_, Phase::connecting, asked);
        net::Timer timer(
            worker_.loop.wheel(), [](void* self) { static_cast<Exchange*>(self)->connect_late(); },
            this);
        if (left.left < timeouts.connect) {
            timer.set_after(left.left);
        }
        acquired = co_await pool_->connect(interrupt_);
        waited = now() - asked;
        if (late_ && !stopped()) {
            set_timed_out(left.clock, Stage::not_sent);
            co_return false;
        }
    }
    worker_.shared.metrics->count_pool_wait(region.name, to_seconds(waited));
    if (!acquired) {
        std::string why = "no connection to " + region.name + ": " +
                          std::string(acquired.error().error == NetError::dns
                                          ? "its name was not resolved"
                                          : to_string(acquired.error().error));
        if (const auto& code = acquired.error().code) {
            why += " (" + code.message() + ")";
        }
        if (!stopped()) {
            worker_.complain(region, why);
        }
        set_failure(FailureClass::network, Stage::not_sent, std::move(why));
        co_return false;
    }
    connection_ = std::move(*acquired);
    co_return !stopped();
}

/// Connects, signs, sends and reads the response's head. `answered`: head_ is there.
net::Task<Exchange::End> Exchange::fetch(Region& region, Service service, std::string_view target,
                                         std::string_view body, const codec::Digest& digest) {
    co_await worker_.loop.soon();
    if (!prepare_head(region, service, target, body.size(), digest)) {
        set_failure(FailureClass::credentials, Stage::not_sent,
                    "weir has no credentials for " + region.name +
                        ": its start-up log says what was tried");
        co_return End::failed;
    }
    pool_ = &worker_.pool(region, service);
    if (stopped()) {
        co_return stopped_end();
    }
    const bool connected = co_await connect(region);
    if (!connected) {
        co_return stopped() ? stopped_end() : End::failed;
    }
    Patience left = patience_for(Phase::sending);
    connection_->stream().set_deadline(left.left);
    const auto written = co_await connection_->write(upstream_head_, body);
    if (stopped()) {
        co_return stopped_end();
    }
    times_.sent = now();
    if (written) {
        if (bedrock::is_inference(match_.operation)) {
            worker_.shared.gate->sent(id_);
        }
        left = patience(snapshot_->config.timeouts, times_, Phase::waiting, times_.sent);
        connection_->stream().set_deadline(left.left);
    } else if (written.error().error == NetError::timeout) {
        release(false);
        set_timed_out(left.clock, Stage::not_sent);
        co_return End::failed;
    } else {
        connection_->stream().set_deadline(std::min(left.left, kEarlyAnswer));
    }
    const bool may_have_answered =
        written || (written.error().error == NetError::reset && body.size() > kTakenAtOnce);
    net::NetResult<const codec::Head*> head = std::unexpected(net::NetFailure());
    if (may_have_answered) {
        head = co_await connection_->read_head();
    }
    if (stopped()) {
        co_return stopped_end();
    }
    if (head && (*head)->status > 599) {
        const int status = (*head)->status;
        release(false);
        set_failure(FailureClass::server, Stage::sent,
                    "the answer's status is none of HTTP's: " + std::to_string(status));
        co_return End::failed;
    }
    if (head) {
        if (!written && bedrock::is_inference(match_.operation)) {
            worker_.shared.gate->sent(id_);
        }
        keep_head(**head);
        co_return End::answered;
    }
    const NetError error = head.error().error;
    BrokenSend send;
    send.reused = connection_->reused();
    send.write_failed = !written;
    send.closed = error == NetError::closed || error == NetError::reset;
    send.any_bytes = connection_->any_bytes_received();
    send.since_written = now() - times_.sent;
    release(false);
    if (had_been_closed(send)) {
        fresh_ = true;
        set_failure(FailureClass::network, Stage::not_sent,
                    "a kept connection to " + region.name + " had been closed");
        failure_.blameless = true;
    } else if (!written) {
        set_failure(FailureClass::network, Stage::not_sent, "the request could not be written");
    } else if (error == NetError::timeout) {
        set_timed_out(left.clock, Stage::sent);
    } else if (send.closed) {
        set_failure(FailureClass::reset, Stage::sent, "the connection broke before an answer came");
    } else {
        set_failure(FailureClass::server, Stage::sent, "the answer was not HTTP");
    }
    co_return End::failed;
}

}  // namespace weir::gateway
