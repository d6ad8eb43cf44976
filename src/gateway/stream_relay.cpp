#include "gateway/stream_relay.h"

#include "gateway/answer.h"
#include "gateway/dialect.h"

#include <utility>

namespace weir::gateway {

StreamRelay::Out StreamRelay::take(std::string_view bytes) {
    const bool was_flowing = state_ == State::flowing;
    if (was_flowing) {
        std::string().swap(held_);
        parts_ = {};
    }
    early_.clear();
    tail_.erase(0, used_);
    used_ = 0;
    if (tail_.capacity() > kMaxHeld && tail_.size() < tail_.capacity() / 4) {
        tail_.shrink_to_fit();
    }
    const bool joined = !tail_.empty();
    if (joined) {
        tail_.append(bytes);
    }
    const std::string_view data = joined ? std::string_view(tail_) : bytes;

    std::size_t done = 0;
    std::size_t shown = 0;  // of data: before it are what is held, and what shown_ has
    bool in_pieces = false;
    shown_.clear();
    while (state_ == State::holding || state_ == State::flowing) {
        const Step step = next(data.substr(done));
        if (step.garbled || step.too_large) {
            state_ = step.garbled ? State::garbled : State::too_large;
            break;
        }
        if (step.size == 0) {
            break;
        }
        const auto message = data.substr(done, step.size);
        done += step.size;
        if (state_ == State::holding) {
            if (step.kind == bedrock::StreamKind::failure) {
                state_ = State::failed;
            } else if (step.kind != bedrock::StreamKind::content && hold(step, message)) {
                shown = done;
                continue;
            } else {
                state_ = State::flowing;
            }
        } else if (step.kind == bedrock::StreamKind::failure) {
            state_ = State::excepted;
        }
        if (step.hidden) {
            shown_.append(data.substr(shown, done - step.size - shown));
            shown = done;
            in_pieces = true;
        }
    }
    if (joined) {
        used_ = done;
    } else {
        tail_.assign(data.substr(done));
    }
    if (state_ == State::holding) {
        return {early_, {}};
    }
    if (!begun() && !was_flowing) {
        return {};
    }
    auto whole = data.substr(shown, done - shown);
    if (in_pieces) {
        shown_.append(whole);
        whole = shown_;
    }
    held_.insert(0, early_);  // what came in the same bytes
    return {held_, whole};
}

/// False: there is too much already.
bool StreamRelay::hold(const Step& step, std::string_view message) {
    if (step.hidden) {
        return true;
    }
    if (step.kind == bedrock::StreamKind::start && released_) {
        if (!opened_) {
            early_.append(message);
            opened_ = true;
        }
        return true;
    }
    if (step.kind == bedrock::StreamKind::ping && released_) {
        early_.append(message);
        return true;
    }
    if (held_.size() + message.size() > kMaxHeld) {
        return false;
    }
    held_.append(message);
    parts_.push_back({message.size(), step.kind});
    return true;
}

std::string_view StreamRelay::release(bool opened) {
    if (state_ != State::holding || released_) {
        return {};
    }
    released_ = true;
    opened_ = opened;
    early_.clear();
    const std::string held = std::exchange(held_, {});
    std::size_t at = 0;
    for (const auto& [size, kind] : std::exchange(parts_, {})) {
        Step step;
        step.kind = kind;
        hold(step, std::string_view(held).substr(at, size));
        at += size;
    }
    return early_;
}

StreamRelay::Out StreamRelay::finish() {
    const std::string_view rest = std::string_view(tail_).substr(used_);
    const std::string_view end = rest.empty() ? rest : missing_end(rest);
    return end.empty() ? Out() : take(end);
}

bool StreamRelay::ended_cleanly() const {
    return (state_ == State::holding || state_ == State::flowing) && tail_.size() == used_ &&
           (!end_required_ || model_ended());
}

StreamRelay::Step EventRelay::next(std::string_view data) {
    const auto read = codec::read_event(data, message_);
    Step step;
    step.too_large = !read && read.error() == codec::EventStreamError::too_large;
    step.garbled = !read && !step.too_large;
    if (read && *read) {
        step.size = **read;
        step.kind = watcher_.on_event(message_);
    }
    return step;
}

std::string EventRelay::broken_end(std::string_view message) const {
    return exception_event("modelStreamErrorException", message);
}

StreamRelay::Step SseRelay::next(std::string_view data) {
    const auto read = reader_.read(data, event_);
    Step step;
    step.too_large = !read;
    if (read && *read) {
        step.size = **read;
        step.kind = watcher_.on_event(event_);
        step.hidden = watcher_.hidden();
    }
    return step;
}

/// The standard lets a reader drop an event without its blank line. Services and boxes in between
/// have left it out behind the last event, whose text was complete.
std::string_view SseRelay::missing_end(std::string_view rest) const {
    constexpr std::string_view kEnd = "\n\n";  // a blank line too many says nothing
    const std::string bytes = std::string(rest) + std::string(kEnd);
    codec::SseReader reader;
    codec::SseEvent event;
    const auto read = reader.read(bytes, event);
    const bool whole =
        read && *read && (event.has_data ? bedrock::is_whole_data(event.data) : model_ended());
    return whole ? kEnd : std::string_view();
}

std::string SseRelay::broken_end(std::string_view message) const {
    return sse_error(operation_, message);
}

}  // namespace weir::gateway
