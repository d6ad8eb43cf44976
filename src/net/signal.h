// A single-waiter signal: one coroutine waits, anything on the same loop's thread wakes it.
#pragma once

#include "net/loop.h"

namespace weir::net {

/// notify() before wait() is remembered, once. Both on the loop's thread only.
class Signal {
public:
    explicit Signal(Loop& loop) : parked_(loop) {}
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

    /// `co_await signal.wait();` Needs no memory.
    auto wait() { return Waiting(*this); }

    void notify() {
        if (!notified_) {
            notified_ = true;
            parked_.resume();
        }
    }

private:
    class Waiting {
    public:
        explicit Waiting(Signal& signal) : signal_(signal) {}
        bool await_ready() const noexcept { return signal_.notified_; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> handle) const noexcept {
            signal_.parked_.wait().await_suspend(handle);
        }
        void await_resume() const noexcept { signal_.notified_ = false; }

    private:
        Signal& signal_;
    };

    Parked parked_;
    bool notified_ = false;
};

}  // namespace weir::net
