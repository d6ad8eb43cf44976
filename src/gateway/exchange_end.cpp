// The ends that no answer brings: the client's leaving, a drain, weir's own word, an exception.
#include "gateway/exchange.h"

#include <utility>

namespace weir::gateway {

using observe::Outcome;

/// An exception has ended the request before its time: the engines must not count on it for ever.
void Exchange::abandon() noexcept {
    settle_whole();
    try {
        if (std::exchange(offered_, false)) {
            worker_.shared.gate->cancel(id_, usage_);
        } else if (std::exchange(observed_, false)) {
            policy::Shadow::Outcome failed;
            failed.kind = policy::Shadow::Outcome::Kind::failed;
            worker_.shared.shadow->ended(id_, failed);
        }
    } catch (...) {
        log_exception(std::current_exception());
    }
}

void Exchange::log_exception(const std::exception_ptr& failure) const noexcept {
    if (!worker_.shared.log) {
        return;
    }
    try {
        std::string text = "request " + request_id_ + " met an exception inside weir";
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            text.append(": ").append(error.what());
        } catch (...) {
            text += " of no known kind";
        }
        worker_.shared.log(LogLevel::error, text);
    } catch (...) {  // no memory to say it: the access log's line and the metrics do
        return;
    }
}

/// An exception has ended the path: an end like any other, as far as memory allows.
net::Task<void> Exchange::fail_internally(std::exception_ptr failure) {
    abandon();
    release(false);
    log_exception(failure);
    outcome_ = Outcome::server_error;
    error_name_ = "InternalServerException";
    bool answered = false;
    if (!downstream_.answered()) {
        status_ = 500;
        try {
            refuse(500, "InternalServerException", "weir: this request failed inside the gateway");
            error_->outcome = Outcome::server_error;
            const ErrorAnswer error = *error_;
            co_await answer(error);
            answered = true;
        } catch (...) {
            log_exception(std::current_exception());
        }
    }
    if (!answered) {
        downstream_.abort();
    }
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

/// Weir's own end of a call under way. A stream whose content is with the client has another.
Exchange::End Exchange::give_up(ErrorAnswer error) {
    error_ = std::move(error);
    release(false);
    return End::over;
}

Exchange::End Exchange::stopped_end() {
    if (gone_) {
        return End::gone;
    }
    ErrorAnswer error = draining_answer();
    error.outcome = Outcome::drained;
    return give_up(std::move(error));
}

/// The client did not take what was sent.
void Exchange::lost(const net::NetFailure& failure) {
    if (!drained_) {
        lost_ = failure.error == net::NetError::timeout ? Outcome::client_slow : Outcome::cancelled;
    }
    outcome_ = lost_;
}

/// It will not be sent again. A small one stays: its memory is the next request's.
void Exchange::free_body() {
    constexpr std::size_t kSmall = 4096;
    if (body_.capacity() > kSmall) {
        std::string().swap(body_);
        body_bytes_.give_back();
    }
}

void Exchange::release(bool reusable) {
    if (connection_ != nullptr) {
        connection_->stream().clear_deadline();
        pool_->release(std::move(connection_), reusable);
    }
}

/// The client left: whatever is awaited ends now, and the path above sees gone_.
void Exchange::client_gone() {
    gone_ = true;
    stop_waiting();
}

void Exchange::drain_end() {
    drained_ = true;
    lost_ = Outcome::drained;
    stop_waiting();
}

void Exchange::stop_waiting() {
    if (connection_ != nullptr) {
        connection_->stream().interrupt();
    }
    interrupt_.raise();
    signal_.notify();
}

}  // namespace weir::gateway
