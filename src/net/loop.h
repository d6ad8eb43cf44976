// One worker: an io_context, its timer wheel, its thread.
#pragma once

#include "net/io.h"
#include "net/poller.h"
#include "net/timer_wheel.h"

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <optional>
#include <thread>

namespace weir::net {

class Loop;

/// The place where one coroutine is suspended until somebody resumes it. On the loop's thread only.
/// The loop knows all of them: what still waits when the loop is destroyed is unwound then.
class Parked {
public:
    explicit Parked(Loop& loop) : loop_(loop) {}
    ~Parked();
    Parked(const Parked&) = delete;
    Parked& operator=(const Parked&) = delete;

    bool waiting() const { return handler_.has_value(); }
    Task<void> wait();
    /// Runs the coroutine at once, inside this call. For a completion that comes from the loop.
    void resume_now();
    /// Runs it soon, so that the caller's own state stays as it is.
    void resume();

private:
    friend class Loop;
    using Handler =
        asio::async_result<asio::use_awaitable_t<Executor>, void()>::handler_type;  // NOLINT
    Handler take();

    Loop& loop_;
    Parked* previous_ = nullptr;
    Parked* next_ = nullptr;
    std::optional<Handler> handler_;
};

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
    Poller& poller() { return poller_; }
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
    friend class Parked;
    // Frames left over refer to the wheel and the poller: they are unwound before those go.
    struct Context : asio::io_context {
        using asio::io_context::io_context;
        using asio::io_context::shutdown;
    };

    Context context_;
    asio::executor_work_guard<Executor> work_;
    TimerWheel wheel_;
    Poller poller_;
    unsigned index_;
    Parked* parked_ = nullptr;
    std::thread thread_;
};

}  // namespace weir::net
