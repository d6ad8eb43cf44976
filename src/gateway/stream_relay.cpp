#include "gateway/stream_relay.h"

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
    while (state_ == State::holding || state_ == State::flowing) {
        const auto read = codec::read_event(data.substr(done), message_, kMaxMessage);
        if (!read) {
            state_ = State::garbled;
            break;
        }
        if (!*read) {
            break;
        }
        done += **read;
        switch (watcher_.on_event(message_)) {
            case bedrock::StreamWatcher::Kind::content:
                state_ = State::flowing;
                break;
            case bedrock::StreamWatcher::Kind::failure:
                state_ = state_ == State::flowing ? State::excepted : State::failed;
                break;
            case bedrock::StreamWatcher::Kind::preamble:
            case bedrock::StreamWatcher::Kind::end:
            case bedrock::StreamWatcher::Kind::metadata:
                break;
        }
    }
    if (joined) {
        used_ = done;
    } else {
        tail_.assign(data.substr(done));
    }

    const auto whole = data.substr(0, done);
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
           (!end_required_ || watcher_.ended());
}

std::string broken_stream_event(std::string_view message) {
    const std::array<codec::EventHeader, 3> headers{
        codec::EventHeader{":message-type", std::string_view("exception")},
        codec::EventHeader{":exception-type", std::string_view("modelStreamErrorException")},
        codec::EventHeader{":content-type", std::string_view("application/json")}};
    std::string event;
    codec::append_event(event, headers, error_body(message));
    return event;
}

}  // namespace weir::gateway
