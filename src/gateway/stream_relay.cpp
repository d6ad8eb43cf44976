#include "gateway/stream_relay.h"

#include "gateway/dialect.h"
#include "gateway/refusal.h"

#include <array>

namespace weir::gateway {

StreamRelay::Out StreamRelay::take(std::string_view bytes) {
    const bool was_flowing = state_ == State::flowing;
    if (was_flowing) {
        std::string().swap(held_);
    }
    tail_.erase(0, used_);
    used_ = 0;
    const bool joined = !tail_.empty();
    if (joined) {
        tail_.append(bytes);
    }
    const std::string_view data = joined ? std::string_view(tail_) : bytes;

    std::size_t done = 0;
    std::size_t copied = 0;  // up to here shown_ has what is to be seen, once something is hidden
    shown_.clear();
    while (state_ == State::holding || state_ == State::flowing) {
        const Step step = next(data.substr(done));
        if (step.garbled) {
            state_ = State::garbled;
            break;
        }
        if (step.size == 0) {
            break;
        }
        if (step.hidden) {
            shown_.append(data.substr(copied, done - copied));
            copied = done + step.size;
        }
        done += step.size;
        switch (step.kind) {
            case bedrock::StreamKind::content:
                state_ = State::flowing;
                break;
            case bedrock::StreamKind::failure:
                state_ = state_ == State::flowing ? State::excepted : State::failed;
                break;
            case bedrock::StreamKind::start:
            case bedrock::StreamKind::ping:
            case bedrock::StreamKind::preamble:
            case bedrock::StreamKind::end:
            case bedrock::StreamKind::metadata:
                break;
        }
    }
    if (joined) {
        used_ = done;
    } else {
        tail_.assign(data.substr(done));
    }

    auto whole = data.substr(0, done);
    if (copied > 0) {
        shown_.append(whole.substr(copied));
        whole = shown_;
    }
    if (state_ == State::holding) {
        if (held_.size() + whole.size() <= kMaxHeld) {
            held_.append(whole);
            return {};
        }
        state_ = State::flowing;
    }
    if (state_ == State::flowing || state_ == State::excepted ||
        (state_ == State::garbled && was_flowing)) {
        return {held_, whole};
    }
    return {};
}

bool StreamRelay::ended_cleanly() const {
    return (state_ == State::holding || state_ == State::flowing) && tail_.size() == used_ &&
           (!end_required_ || model_ended());
}

StreamRelay::Step EventRelay::next(std::string_view data) {
    const auto read = codec::read_event(data, message_, kMaxMessage);
    Step step;
    step.garbled = !read;
    if (read && *read) {
        step.size = **read;
        step.kind = watcher_.on_event(message_);
    }
    return step;
}

std::string EventRelay::broken_end(std::string_view message) const {
    const std::array<codec::EventHeader, 3> headers{
        codec::EventHeader{":message-type", std::string_view("exception")},
        codec::EventHeader{":exception-type", std::string_view("modelStreamErrorException")},
        codec::EventHeader{":content-type", std::string_view("application/json")}};
    std::string event;
    codec::append_event(event, headers, error_body(message));
    return event;
}

StreamRelay::Step SseRelay::next(std::string_view data) {
    const auto read = reader_.read(data, event_, kMaxMessage);
    Step step;
    step.garbled = !read;
    if (read && *read) {
        step.size = **read;
        step.kind = watcher_.on_event(event_);
        step.hidden = watcher_.hidden();
    }
    return step;
}

std::string SseRelay::broken_end(std::string_view message) const {
    return sse_error(operation_, message);
}

}  // namespace weir::gateway
