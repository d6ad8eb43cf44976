// A single-waiter signal: one coroutine waits, anything on the same loop's thread wakes it.
#pragma once

#include "net/io.h"
#include "net/loop.h"

namespace weir::net {

/// notify() before wait() is remembered, once. Both on the loop's thread only.
class Signal {
public:
    explicit Signal(Loop& loop) : loop_(loop) {}
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

    Task<void> wait();
    void notify();

private:
    Loop& loop_;
    bool notified_ = false;
    std::function<void()> resume_;
};

}  // namespace weir::net
