// The bytes of an HTTP/2 request's and answer's content, between nghttp2 and the handler.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::net {

/// A request's, as they come. What take() gives stays until the next call.
class Http2Incoming {
public:
    void add(std::string_view bytes) { waiting_ += bytes; }
    void end() { ended_ = true; }
    /// The client has sent the last byte.
    bool ended() const { return ended_; }
    bool empty() const { return waiting_.empty(); }
    std::size_t size() const { return waiting_.size(); }

    std::string_view take() {
        given_.clear();
        std::swap(given_, waiting_);
        return given_;
    }
    void drop() {
        given_ = std::string();
        waiting_ = std::string();
    }

private:
    std::string waiting_;  // not asked for yet
    std::string given_;
    bool ended_ = false;
};

/// An answer's, as the handler writes them: nghttp2 comes for as much as fits into a frame. They
/// are the handler's memory, which waits until they are taken.
class Http2Outgoing {
public:
    struct Frame {
        std::size_t size = 0;
        bool last = false;  // it ends the answer
    };

    /// `last`: the answer ends with these.
    void offer(std::string_view bytes, bool last) {
        bytes_ = bytes;
        last_ = last;
    }
    /// What does not go any more.
    void drop() { bytes_ = {}; }

    /// Of the next frame, at most `most`; nullopt: nothing yet, resume() says when there is.
    std::optional<Frame> next(std::size_t most) {
        if (bytes_.empty() && !last_) {
            deferred_ = true;
            return std::nullopt;
        }
        const std::size_t size = std::min(most, bytes_.size());
        return Frame{size, last_ && size == bytes_.size()};
    }
    std::string_view take(std::size_t size) {
        const std::string_view taken = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return taken;
    }
    /// nghttp2 has come in vain, and there is something now.
    bool resume() { return std::exchange(deferred_, false); }

    bool empty() const { return bytes_.empty(); }
    std::size_t size() const { return bytes_.size(); }
    bool last() const { return last_; }

private:
    std::string_view bytes_;
    bool last_ = false;
    bool deferred_ = false;
};

}  // namespace weir::net
