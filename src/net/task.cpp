#include "net/task.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define WEIR_FRAMES_KEPT 0  // so that a frame used after its end is seen
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_FRAMES_KEPT 0
#endif
#endif
#ifndef WEIR_FRAMES_KEPT
#define WEIR_FRAMES_KEPT 1
#endif

namespace weir::net {

namespace {

constexpr std::size_t kFrameStep = 64;
constexpr std::size_t kLargest = 4096;
constexpr std::size_t kMostKept = 1UL << 20;  // bytes a thread

struct Kept {
    Kept* next;
};

/// Frames of a size, ready to be used again, for each multiple of kFrameStep.
struct Shelf {
    std::array<Kept*, kLargest / kFrameStep + 1> sizes{};
    std::size_t bytes = 0;
};
constinit thread_local Shelf shelf;

std::size_t steps(std::size_t size) {
    return (size + kFrameStep - 1) / kFrameStep;
}

}  // namespace

void* Frame::operator new(std::size_t size) {
    if (WEIR_FRAMES_KEPT == 0 || size > kLargest) {
        return ::operator new(size);
    }
    const std::size_t n = steps(size);
    Kept* const kept = shelf.sizes[n];
    if (kept == nullptr) {
        return ::operator new(n * kFrameStep);
    }
    shelf.sizes[n] = kept->next;
    shelf.bytes -= n * kFrameStep;
    return kept;
}

void Frame::operator delete(void* frame, std::size_t size) noexcept {
    const std::size_t n = steps(size);
    if (WEIR_FRAMES_KEPT == 0 || size > kLargest || shelf.bytes + n * kFrameStep > kMostKept) {
        ::operator delete(frame);
        return;
    }
    shelf.sizes[n] = ::new (frame) Kept{shelf.sizes[n]};
    shelf.bytes += n * kFrameStep;
}

void Frame::release_kept() noexcept {
    for (Kept*& first : shelf.sizes) {
        while (first != nullptr) {
            ::operator delete(std::exchange(first, first->next));
        }
    }
    shelf.bytes = 0;
}

std::coroutine_handle<> Frame::end() noexcept {
    if (caller != nullptr) {
        return caller->handle;
    }
    if (!detached) {
        return std::noop_coroutine();  // the caller looks as soon as resume() returns
    }
    if (failure) {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "weir: a coroutine ended with an exception: %s\n", error.what());
        } catch (...) {
            std::fprintf(stderr, "weir: a coroutine ended with an unknown exception\n");
        }
        std::abort();
    }
    handle.destroy();
    return std::noop_coroutine();
}

}  // namespace weir::net
