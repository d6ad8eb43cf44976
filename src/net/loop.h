// One worker: an io_context, its timer wheel, its thread.
#pragma once

#include "net/io.h"
#include "net/timer_wheel.h"

#include <asio/post.hpp>

#include <functional>
#include <thread>

namespace weir::net {

/// Everything on a loop runs on its one thread; only post() may be called from another.
class Loop {
public:
    explicit Loop(unsigned index);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    asio::io_context& context() { return context_; }
    Executor executor() { return context_.get_executor(); }
    TimerWheel& wheel() { return wheel_; }
    unsigned index() const { return index_; }

    /// Starts the thread; stop() ends it once what is running has returned. run() uses the
    /// caller's.
    void start();
    void run();
    void stop();
    void join();

    /// Runs `work` on this loop's thread. Thread-safe.
    template <class Work>
    void post(Work&& work) {
        asio::post(context_, std::forward<Work>(work));
    }

    /// Starts a coroutine that nobody waits for; an exception in it ends the process with its
    /// message. Call it on the loop's thread or before start().
    void spawn(Task<void> task);

    /// Suspends for `duration`. Not interruptible: for the simulator and the demo, not for
    /// requests.
    Task<void> sleep(Duration duration);

private:
    asio::io_context context_;
    TimerWheel wheel_;
    unsigned index_;
    std::thread thread_;
};

}  // namespace weir::net
