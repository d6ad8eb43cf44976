// What one holder has of the memory that a process lends to messages under way.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace weir::net {

/// Bytes counted in a total that others share (limits.max_buffered). Invariant: the total contains
/// what this counts, until it is set to less or destroyed: so it is given back where the memory is.
/// Used on one thread; the total is anybody's.
class BufferedBytes {
public:
    explicit BufferedBytes(std::atomic<std::uint64_t>& total) : total_(&total) {}
    ~BufferedBytes() { set(0); }
    BufferedBytes(BufferedBytes&& other) noexcept
        : total_(other.total_), count_(std::exchange(other.count_, 0)) {}
    BufferedBytes& operator=(BufferedBytes&& other) noexcept {
        set(0);
        total_ = other.total_;
        count_ = std::exchange(other.count_, 0);
        return *this;
    }
    BufferedBytes(const BufferedBytes&) = delete;
    BufferedBytes& operator=(const BufferedBytes&) = delete;

    std::uint64_t count() const { return count_; }

    /// This many more; false, and nothing is counted, where the total would come to more than
    /// `limit`.
    bool take(std::uint64_t bytes, std::uint64_t limit) {
        const std::uint64_t before = total_->fetch_add(bytes, std::memory_order_relaxed);
        if (before + bytes > limit) {
            total_->fetch_sub(bytes, std::memory_order_relaxed);
            return false;
        }
        count_ += bytes;
        return true;
    }

    /// So many from now on: less always, more as take() has it.
    bool resize(std::uint64_t bytes, std::uint64_t limit) {
        if (bytes > count_) {
            return take(bytes - count_, limit);
        }
        set(bytes);
        return true;
    }

    void give_back() { set(0); }

private:
    void set(std::uint64_t bytes) {
        if (bytes != count_) {
            total_->fetch_sub(count_ - bytes, std::memory_order_relaxed);
            count_ = bytes;
        }
    }

    std::atomic<std::uint64_t>* total_;
    std::uint64_t count_ = 0;
};

}  // namespace weir::net
