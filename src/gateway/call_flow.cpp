#include "gateway/call_flow.h"

#include <utility>

namespace weir::gateway {

CallFlow::~CallFlow() {
    try {
        stopped(std::nullopt);
    } catch (...) {  // no memory to say it: what is held ends when it expires
        state_ = State::ended;
    }
}

CallFlow::Action CallFlow::offer(const Call& call) {
    return take(decider_.offer(call));
}

CallFlow::Action CallFlow::decided(const Decision& decision) {
    return state_ == State::waiting ? take(decision) : Action::done;
}

CallFlow::Action CallFlow::take(const Decision& decision) {
    if (std::holds_alternative<Wait>(decision)) {
        state_ = State::waiting;
        return Action::wait;
    }
    if (const auto* grant = std::get_if<Grant>(&decision)) {
        grant_ = *grant;
        state_ = State::granted;
        return Action::send;
    }
    refusal_ = std::get<Refusal>(decision);
    state_ = State::ended;
    return Action::answer;
}

void CallFlow::sent() {
    if (state_ == State::granted) {
        decider_.sent();
    }
}

void CallFlow::began() {
    if (state_ == State::granted) {
        state_ = State::begun;
        decider_.began();
    }
}

CallFlow::Action CallFlow::failed(const Failure& failure) {
    if (state_ == State::begun) {
        return broken(failure);
    }
    if (state_ != State::granted) {
        return Action::done;
    }
    state_ = State::ended;
    const Action next = take(decider_.report(failure));
    if (next == Action::send && failure.cls == FailureClass::credentials &&
        !std::exchange(refreshed_, true)) {
        return Action::refresh;
    }
    return next;
}

CallFlow::Action CallFlow::refreshed() {
    return state_ == State::granted ? Action::send : Action::done;
}

CallFlow::Action CallFlow::complete(const Usage& usage) {
    if (state_ == State::granted || state_ == State::begun) {
        state_ = State::ended;
        decider_.settle(usage);
    }
    return Action::done;
}

CallFlow::Action CallFlow::broken(const Failure& failure) {
    if (state_ == State::granted || state_ == State::begun) {
        state_ = State::ended;
        if (!std::holds_alternative<Refusal>(decider_.report(failure))) {
            decider_.cancel(std::nullopt);  // it will not be sent again, whatever the failure says
        }
    }
    return Action::done;
}

CallFlow::Action CallFlow::stopped(const std::optional<Usage>& so_far) {
    if (under_way()) {
        state_ = State::ended;
        decider_.cancel(so_far);
    }
    return Action::done;
}

}  // namespace weir::gateway
