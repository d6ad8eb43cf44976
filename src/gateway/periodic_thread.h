// A thread that does the same thing again and again, beside the traffic.
#pragma once

#include <weir/time.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace weir::gateway {

/// Calls `once` at the start, then each time after as long as it said. Thread-safe.
class PeriodicThread {
public:
    /// `nudged`: it is called before its time because of nudge().
    using Once = std::move_only_function<Duration(bool nudged)>;

    explicit PeriodicThread(Once once) : once_(std::move(once)) {}
    /// Waits for a call under way, which had better look at stopping().
    ~PeriodicThread() {
        stop();
        thread_.join();
    }
    PeriodicThread(const PeriodicThread&) = delete;
    PeriodicThread& operator=(const PeriodicThread&) = delete;

    /// Calls it now.
    void nudge() {
        {
            const std::scoped_lock lock(mutex_);
            nudged_ = true;
        }
        news_.notify_all();
    }
    /// Calls it no more.
    void stop() {
        {
            const std::scoped_lock lock(mutex_);
            stop_ = true;
        }
        news_.notify_all();
    }
    const std::atomic<bool>& stopping() const { return stop_; }

private:
    void run() {
        bool nudged = false;
        while (!stop_) {
            const Duration pause = once_(nudged);
            std::unique_lock lock(mutex_);
            news_.wait_for(lock, pause, [this] { return nudged_ || stop_; });
            nudged = std::exchange(nudged_, false);
        }
    }

    Once once_;
    std::mutex mutex_;
    std::condition_variable news_;
    bool nudged_ = false;  // guarded by mutex_
    std::atomic<bool> stop_{false};
    std::thread thread_{[this] { run(); }};  // last: uses all
};

}  // namespace weir::gateway
