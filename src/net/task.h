// Coroutines: one thread each, resumed by their Loop, their frames' memory used again.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace weir::net {

/// The first part of every coroutine's promise, for any result type.
struct Frame {
    std::coroutine_handle<> handle;
    Frame* caller = nullptr;  // resumed at the end; null: none, or it waits on the stack
    Frame* next = nullptr;    // in a list of the loop's
    bool detached = false;    // no caller: it destroys itself at the end
    std::exception_ptr failure;

    /// The one that the chain of callers begins with. Destroying it destroys them all.
    Frame& outermost() {
        Frame* frame = this;
        while (frame->caller != nullptr) {
            frame = frame->caller;
        }
        return *frame;
    }

    // A request needs some fifteen frames, most of them too large for malloc's thread cache.
    static void* operator new(std::size_t size);
    static void operator delete(void* frame, std::size_t size) noexcept;
    /// Frees the frames that this thread keeps.
    static void release_kept() noexcept;

    std::suspend_always initial_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { failure = std::current_exception(); }

    struct AtEnd {
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
            return static_cast<Frame&>(ended.promise()).end();
        }
        void await_resume() const noexcept {}
    };
    AtEnd final_suspend() const noexcept { return {}; }

private:
    std::coroutine_handle<> end() noexcept;
};

/// A coroutine that starts when it is awaited, which may happen once. The caller goes on at once,
/// without being suspended, if it ends without waiting. An exception in it comes out of co_await.
template <class T>
class [[nodiscard]] Task {
public:
    struct promise_type;

    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Task& operator=(Task&&) = delete;
    ~Task() {
        if (handle_) {
            handle_.destroy();
        }
    }

    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        handle_.resume();
        if (handle_.done()) {
            return false;
        }
        handle_.promise().caller = &caller.promise();
        return true;
    }
    T await_resume() {
        promise_type& promise = handle_.promise();
        if (promise.failure) {
            std::rethrow_exception(std::move(promise.failure));
        }
        if constexpr (!std::is_void_v<T>) {
            return *std::move(promise.result);
        }
    }

    /// For the loop: the frame is the caller's to resume, and destroys itself at the end.
    Frame& detach() && {
        Frame& frame = handle_.promise();
        frame.detached = true;
        handle_ = nullptr;
        return frame;
    }

private:
    explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}

    std::coroutine_handle<promise_type> handle_;
};

template <class T>
struct Task<T>::promise_type : Frame {
    std::optional<T> result;

    Task get_return_object() {
        auto made = std::coroutine_handle<promise_type>::from_promise(*this);
        handle = made;
        return Task(made);
    }
    template <class U = T>
        requires std::convertible_to<U&&, T>
    void return_value(U&& value) {
        result.emplace(std::forward<U>(value));
    }
};

template <>
struct Task<void>::promise_type : Frame {
    Task get_return_object() {
        auto made = std::coroutine_handle<promise_type>::from_promise(*this);
        handle = made;
        return Task(made);
    }
    void return_void() const noexcept {}
};

}  // namespace weir::net
