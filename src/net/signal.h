// A single-waiter signal: one coroutine waits, anything on the same loop's thread wakes it.
#pragma once

#include "net/io.h"
#include "net/loop.h"

namespace weir::net {

/// notify() before wait() is remembered, once. Both on the loop's thread only.
class Signal {
public:
    explicit Signal(Loop& loop) : parked_(loop) {}
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

    Task<void> wait();
    void notify();

private:
    Parked parked_;
    bool notified_ = false;
};

}  // namespace weir::net
