// Read buffers, lent while bytes are in them and given back at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace weir::net {

/// Received bytes that are not consumed yet: [begin, end) of a block that exists only while it
/// holds bytes. Each thread keeps free blocks of the common size for reuse.
class ReadBuffer {
public:
    static constexpr std::size_t kBlock = 16UL << 10;

    ReadBuffer() = default;
    ~ReadBuffer() { drop(); }
    ReadBuffer(const ReadBuffer&) = delete;
    ReadBuffer& operator=(const ReadBuffer&) = delete;
    ReadBuffer(ReadBuffer&& other) noexcept { swap(other); }
    ReadBuffer& operator=(ReadBuffer&& other) noexcept {
        swap(other);
        return *this;
    }

    bool held() const { return block_ != nullptr; }
    bool empty() const { return begin_ == end_; }
    std::size_t size() const { return end_ - begin_; }
    std::size_t capacity() const { return capacity_; }
    std::string_view view() const { return {block_ + begin_, end_ - begin_}; }
    std::span<char> room() { return {block_ + end_, capacity_ - end_}; }
    void filled(std::size_t n) { end_ += n; }
    void consume(std::size_t n) { begin_ += n; }

    /// Makes room() non-empty, moving what is held to the front or to a block of `at_least`.
    /// Invalidates views.
    void make_room(std::size_t at_least = kBlock);
    void drop();

private:
    void swap(ReadBuffer& other) noexcept {
        std::swap(block_, other.block_);
        std::swap(capacity_, other.capacity_);
        std::swap(begin_, other.begin_);
        std::swap(end_, other.end_);
    }

    char* block_ = nullptr;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace weir::net
