// The part of the process's memory for messages in flight that one holder uses.
#pragma once

#include "net/buffer_shares.h"

#include <atomic>
#include <cstdint>
#include <utility>

namespace weir::net {

/// Bytes counted in a shared total (limits.max_buffered). Invariant: the total contains this count
/// until it is lowered or destroyed, so that it is returned together with the memory.
/// Used on one thread; the total is shared by all threads.
class BufferedBytes {
public:
    explicit BufferedBytes(std::atomic<std::uint64_t>& total) : total_(&total) {}
    ~BufferedBytes() { set(0); }
    BufferedBytes(BufferedBytes&& other) noexcept
        : total_(other.total_), holder_(other.holder_), count_(std::exchange(other.count_, 0)) {}
    BufferedBytes& operator=(BufferedBytes&& other) noexcept {
        set(0);
        total_ = other.total_;
        holder_ = other.holder_;
        count_ = std::exchange(other.count_, 0);
        return *this;
    }
    BufferedBytes(const BufferedBytes&) = delete;
    BufferedBytes& operator=(const BufferedBytes&) = delete;

    std::uint64_t count() const { return count_; }

    /// From now on these bytes also count for a holder, which may use no more than its share of the
    /// limit.
    void belong_to(BufferShares::Holder holder) {
        const std::uint64_t bytes = count_;
        set(0);
        holder_ = holder;
        for (auto* const counter : {total_, holder_.client, holder_.connection}) {
            if (counter != nullptr) {
                counter->fetch_add(bytes, std::memory_order_relaxed);
            }
        }
        count_ = bytes;
    }
    BufferShares::Holder holder() const { return holder_; }

    /// Counts this many more. False, and nothing is counted, if the total would exceed `limit` or
    /// the holder its share.
    bool take(std::uint64_t bytes, std::uint64_t limit) {
        const std::uint64_t before = total_->fetch_add(bytes, std::memory_order_relaxed);
        bool good = before + bytes <= limit;
        const std::uint64_t free = good ? limit - before - bytes : 0;
        for (auto* const counter : {holder_.client, holder_.connection}) {
            if (counter != nullptr) {
                const auto held = counter->fetch_add(bytes, std::memory_order_relaxed);
                good = good && within_share(held, count_, bytes, free);
            }
        }
        count_ += bytes;
        if (!good) {
            set(count_ - bytes);
        }
        return good;
    }

    /// Sets the count. Lowering always works; raising follows the rule of take().
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
            for (auto* const counter : {total_, holder_.client, holder_.connection}) {
                if (counter != nullptr) {
                    counter->fetch_sub(count_ - bytes, std::memory_order_relaxed);
                }
            }
            count_ = bytes;
        }
    }

    std::atomic<std::uint64_t>* total_;
    BufferShares::Holder holder_;
    std::uint64_t count_ = 0;
};

}  // namespace weir::net
