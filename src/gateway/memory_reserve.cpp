#include "gateway/memory_reserve.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace weir::gateway {
namespace {

// Never touched, it is address space and not memory, unless the system accounts for both.
std::atomic<void*> reserve{nullptr};
std::atomic<std::size_t> reserve_size{0};

void give_back() {
    void* const block = reserve.exchange(nullptr);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    std::free(block);  // NOLINT(cppcoreguidelines-no-malloc)
}

}  // namespace

void keep_memory_reserve(std::size_t bytes) {
    reserve_size = bytes;
    std::free(reserve.exchange(std::malloc(bytes)));  // NOLINT(cppcoreguidelines-no-malloc)
    std::set_new_handler(give_back);
}

bool memory_is_short() {
    if (reserve.load(std::memory_order_relaxed) != nullptr) {
        return false;
    }
    const std::size_t bytes = reserve_size.load(std::memory_order_relaxed);
    if (bytes == 0) {
        return false;
    }
    void* const block = std::malloc(bytes);  // NOLINT(cppcoreguidelines-no-malloc)
    if (block == nullptr) {
        return true;
    }
    std::free(reserve.exchange(block));  // NOLINT(cppcoreguidelines-no-malloc)
    return false;
}

}  // namespace weir::gateway
