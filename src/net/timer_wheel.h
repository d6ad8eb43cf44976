// Tens of thousands of deadlines on one timer of the kernel.
#pragma once

#include "net/poller.h"

#include <weir/time.h>

#include <cstdint>
#include <memory>

namespace weir::net {

class TimerWheel;

/// Now or up to a tick of the kernel (4 ms) later. The exact time costs five times as much, and
/// deadlines are set a dozen times a request.
Instant coarse_now();

/// One deadline, owned by the waiter. Setting it again moves it; that is the common case and
/// costs one store if the deadline moves later. Destroying it clears it. Fires on the wheel's
/// thread.
class Timer {
public:
    using Fire = void (*)(void* context);

    Timer(TimerWheel& wheel, Fire fire, void* context)
        : wheel_(wheel), fire_(fire), context_(context) {}
    ~Timer() { clear(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void set(Instant deadline);
    void set_after(Duration duration);
    void clear();
    bool armed() const { return armed_; }

private:
    friend class TimerWheel;
    TimerWheel& wheel_;
    Fire fire_;
    void* context_;
    Instant deadline_{};
    Timer* previous_ = nullptr;  // intrusive list of the slot that holds it
    Timer* next_ = nullptr;
    std::uint32_t slot_ = 0;
    bool armed_ = false;
};

/// Resolution 5 ms: a timer fires at its deadline or up to 5 ms later, never before; after
/// set_after() up to a tick of the kernel (4 ms) later still. Sleeps while
/// nothing is armed. The wheel itself reads no clock except in its driver; advance() takes the
/// time, for tests.
class TimerWheel {
public:
    explicit TimerWheel(Poller& poller);
    ~TimerWheel();
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;

    /// Fires all that is due at `now`. The driver calls it; tests may, with any clock.
    void advance(Instant now);

private:
    friend class Timer;
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::net
