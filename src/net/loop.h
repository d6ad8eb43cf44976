// One worker: its sockets, its timer wheel, its coroutines, its thread.
#pragma once

#include "net/io.h"
#include "net/poller.h"
#include "net/timer_wheel.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace weir::net {

class Loop;

/// The place where one coroutine is suspended until it is resumed. On the loop's thread only.
/// The loop knows all of them: coroutines that still wait when it is destroyed are unwound then.
class Parked {
public:
    explicit Parked(Loop& loop) : loop_(loop) {}
    ~Parked();
    Parked(const Parked&) = delete;
    Parked& operator=(const Parked&) = delete;

    bool waiting() const { return frame_ != nullptr; }
    /// `co_await parked.wait();`
    auto wait() { return Waiting(*this); }
    /// Runs the coroutine at once, inside this call. For a completion that comes from the loop.
    void resume_now();
    /// Runs it soon, so that the caller's own state stays as it is.
    void resume();

private:
    friend class Loop;
    class Waiting {
    public:
        explicit Waiting(Parked& parked) : parked_(parked) {}
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> handle) const noexcept {
            parked_.hold(handle.promise());
        }
        void await_resume() const noexcept {}

    private:
        Parked& parked_;
    };
    void hold(Frame& frame) noexcept;
    Frame& take();

    Loop& loop_;
    Frame* frame_ = nullptr;
    Parked* previous_ = nullptr;
    Parked* next_ = nullptr;
};

/// Everything on a loop runs on its one thread; only post() and stop() may be called from another.
/// A turn dispatches epoll events, then runs queued coroutines and then posts, oldest first, in
/// rounds: work that a round queues runs in the next round. After some rounds the turn ends and
/// epoll is polled again.
class Loop {
public:
    explicit Loop(unsigned index);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    TimerWheel& wheel() { return wheel_; }
    Poller& poller() { return poller_; }
    unsigned index() const { return index_; }
    /// Counts wakes and rounds of queued work. It does not change while the loop is idle.
    std::uint64_t turn() const { return turn_; }

    /// Starts the thread; stop() ends it when the running coroutine has returned. run() uses the
    /// caller's thread.
    void start();
    void run();
    void stop();
    void join();
    /// After join(): destroys the remaining coroutines and posts without running them. For an owner
    /// of objects they refer to, if these are destroyed before the loop.
    void unwind();
    /// On a loop without a thread: runs everything that need not wait. Returns how much that was.
    std::size_t poll();

    /// Runs `work` on this loop's thread, soon. Thread-safe.
    void post(std::move_only_function<void()> work);

    /// Starts a detached coroutine. An exception in it ends the process with its message. On the
    /// loop's thread it runs at once, until it waits; from another thread as if posted.
    void spawn(Task<void> task);

    /// `co_await loop.soon();` runs the other queued work of this turn first.
    auto soon() { return Soon(*this); }

    /// Suspends for `duration`. Not interruptible: for the simulator and the demo, not for
    /// requests.
    Task<void> sleep(Duration duration);

private:
    friend class Parked;
    using Work = std::move_only_function<void()>;

    /// Frames in the order they came.
    struct Queue {
        Frame* first = nullptr;
        Frame* last = nullptr;
        void push(Frame& frame);
        Queue take() { return std::exchange(*this, Queue()); }
    };

    /// Told when another thread has posted.
    struct Woken final : Watched {
        explicit Woken(Loop& of) : loop(of) {}
        void ready(std::uint32_t events) override;
        Loop& loop;
    };

    class Soon {
    public:
        explicit Soon(Loop& loop) : loop_(loop) {}
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> handle) const noexcept {
            loop_.ready_.push(handle.promise());
        }
        void await_resume() const noexcept {}

    private:
        Loop& loop_;
    };

    class Running;

    bool here() const;
    bool idle() const {
        return ready_.first == nullptr && posted_.empty() && taken_.empty() &&
               doomed_.first == nullptr;
    }
    std::size_t run_queued();
    void wake() const;

    Poller poller_;
    TimerWheel wheel_;
    unsigned index_;
    std::uint64_t turn_ = 0;
    Parked* parked_ = nullptr;
    Queue ready_;
    Queue doomed_;  // outermost frames whose coroutine can never be resumed
    std::vector<Work> posted_;
    std::vector<Work> running_;  // keeps its memory from turn to turn
    int wake_descriptor_;
    Woken woken_{*this};
    std::mutex mutex_;
    std::vector<Work> from_others_;  // guarded by mutex_
    std::vector<Work> taken_;        // of these, to run in this turn
    std::atomic<bool> stopped_{false};
    std::thread thread_;
};

}  // namespace weir::net
