// The time limits of an HTTP/2 connection, and the end of a server's.
#pragma once

#include "net/http2_guard.h"
#include "net/timer_wheel.h"

#include <cstdint>
#include <utility>

namespace weir::net {

/// One limit at a time: the client's first SETTINGS, then a head that has begun, then a connection
/// without requests. A limit starts when it comes to be the one that counts.
class Http2Clock {
public:
    Http2Clock(TimerWheel& wheel, Timer::Fire fire, void* context) : timer_(wheel, fire, context) {}

    void greeted() { greeted_ = true; }
    /// This head's time begins with the next count().
    void head_begins() {
        head_open_ = true;
        stop();
    }
    void head_ends() { head_open_ = false; }

    void count(bool has_requests, Duration head_timeout, Duration idle_timeout) {
        const Limit next = !greeted_      ? Limit::settings
                           : head_open_   ? Limit::head
                           : has_requests ? Limit::none
                                          : Limit::idle;
        if (next == running_) {
            return;
        }
        stop();
        running_ = next;
        if (next != Limit::none) {
            timer_.set_after(next == Limit::idle ? idle_timeout : head_timeout);
        }
    }
    void stop() {
        running_ = Limit::none;
        timer_.clear();
    }

    /// What the limit that has passed comes to. NO_ERROR: the connection was idle.
    Http2Offence expired() const {
        switch (running_) {
            case Limit::settings:
                return {NGHTTP2_SETTINGS_TIMEOUT, "its SETTINGS did not arrive in time"};
            case Limit::head:
                return {NGHTTP2_ENHANCE_YOUR_CALM, "a request's head did not arrive in time"};
            default:
                return {NGHTTP2_NO_ERROR, "idle"};
        }
    }

private:
    enum class Limit : std::uint8_t { none, settings, head, idle };

    Timer timer_;
    Limit running_ = Limit::none;
    bool greeted_ = false;
    bool head_open_ = false;
};

/// The server stops. First the client is told "soon"; when it has heard that, or after a second,
/// "from here on": what it sent meanwhile is served.
class Http2Drain {
public:
    Http2Drain(TimerWheel& wheel, Timer::Fire fire, void* context) : timer_(wheel, fire, context) {}

    /// True: the client is to be told now.
    bool announce() {
        if (std::exchange(announced_, true)) {
            return false;
        }
        timer_.set_after(kNotice);
        return true;
    }
    bool announced() const { return announced_; }
    /// True: no later request is taken, from now on.
    bool conclude() {
        timer_.clear();
        return !std::exchange(concluded_, true);
    }
    void stop() { timer_.clear(); }

private:
    static constexpr Duration kNotice = std::chrono::seconds(1);

    Timer timer_;
    bool announced_ = false;
    bool concluded_ = false;
};

}  // namespace weir::net
