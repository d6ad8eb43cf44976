// How far an answer to a client is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace weir::net {

/// RFC 9110: such an answer has no content.
inline bool bodiless(int status) {
    return status == 204 || status == 304 || status < 200;
}

/// The length that an answer's head promises, held against the content that follows, until the
/// end. Does no I/O and knows no framing; HTTP/1.1 and HTTP/2 have it in common.
class AnswerProgress {
public:
    AnswerProgress() = default;
    /// `to_head`: to a HEAD request, whose answer has the head alone.
    explicit AnswerProgress(bool to_head) : to_head_(to_head) {}

    void begin(int status, std::optional<std::uint64_t> length) {
        status_ = status;
        length_ = length;
        left_ = length.value_or(0);
    }
    bool to_head() const { return to_head_; }
    bool begun() const { return status_ != 0; }
    int status() const { return status_; }
    const std::optional<std::uint64_t>& length() const { return length_; }
    /// Once begun: content is accepted from the handler and not sent.
    bool silent() const { return to_head_ || bodiless(status_); }

    /// False: it is more than the head promises.
    bool take(std::size_t bytes) {
        if (!length_) {
            return true;
        }
        if (bytes > left_) {
            return false;
        }
        left_ -= bytes;
        return true;
    }
    /// Nothing of what the head promises is missing.
    bool complete() const { return silent() || left_ == 0; }

    void end() { ended_ = true; }
    bool ended() const { return ended_; }

private:
    std::optional<std::uint64_t> length_;
    std::uint64_t left_ = 0;  // 0 without a length
    int status_ = 0;
    bool to_head_ = false;
    bool ended_ = false;
};

}  // namespace weir::net
