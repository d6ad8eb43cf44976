// Where HTTP/2 frames begin in a stream of bytes (RFC 9113 4.1), without I/O. Their contents are
// nghttp2's.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::codec {

struct Http2FrameHead {
    std::uint32_t length = 0;  // of the payload, bytes
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    std::int32_t stream = 0;

    bool operator==(const Http2FrameHead&) const = default;
};

/// Walks over a connection's bytes, in pieces of any size, and stops before each frame takes
/// effect: at the last byte of its head. There the caller can check the state of nghttp2, which
/// reads the same bytes.
class Http2FrameWalk {
public:
    struct Step {
        std::size_t bytes = 0;               // up to where the walk has come
        std::optional<Http2FrameHead> head;  // the next byte completes this
    };

    /// `before`: bytes ahead of the first frame, such as a client's preface.
    explicit Http2FrameWalk(std::size_t before = 0) : skip_(before) {}

    /// Without a head, all of `bytes` has been walked over.
    Step next(std::string_view bytes) {
        Step step;
        step.bytes = std::min(skip_, bytes.size());
        skip_ -= step.bytes;
        while (step.bytes < bytes.size()) {
            head_[held_++] = static_cast<std::uint8_t>(bytes[step.bytes]);
            if (held_ == head_.size()) {
                held_ = 0;
                step.head = read();
                skip_ = std::size_t{step.head->length} + 1;
                break;
            }
            ++step.bytes;
        }
        return step;
    }

private:
    Http2FrameHead read() const {
        const auto at = [this](std::size_t i) { return std::uint32_t{head_[i]}; };
        Http2FrameHead head;
        head.length = at(0) << 16 | at(1) << 8 | at(2);
        head.type = head_[3];
        head.flags = head_[4];
        head.stream =
            static_cast<std::int32_t>((at(5) & 0x7F) << 24 | at(6) << 16 | at(7) << 8 | at(8));
        return head;
    }

    std::size_t skip_;
    std::size_t held_ = 0;
    std::array<std::uint8_t, 9> head_{};
};

}  // namespace weir::codec
