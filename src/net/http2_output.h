// Frames on their way to the socket.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::net {

/// While a write waits for the socket nothing is added: the write refers to what is held.
class Http2Output {
public:
    static constexpr std::size_t kFull = 64UL << 10;

    void add(std::string_view frames) { frames_.append(frames); }
    bool full() const { return frames_.size() >= kFull; }

    std::string_view rest() const { return std::string_view(frames_).substr(sent_); }
    /// All but `rest`, the end of rest(), is with the socket; rest() has to wait for it.
    void wait_with(std::string_view rest) {
        sent_ = frames_.size() - rest.size();
        waiting_ = true;
    }
    bool waiting() const { return waiting_; }
    /// All is with the socket, or nothing more will be.
    void clear() {
        frames_.clear();
        sent_ = 0;
        waiting_ = false;
    }
    /// Gives back the memory.
    void drop() {
        frames_ = std::string();
        sent_ = 0;
    }

private:
    std::string frames_;
    std::size_t sent_ = 0;
    bool waiting_ = false;
};

}  // namespace weir::net
