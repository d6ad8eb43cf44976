// A thread for what must not hold up a loop: reading files, parsing, loading certificates.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <queue>
#include <stop_token>
#include <thread>
#include <utility>

namespace weir::gateway {

/// Runs what it is given, one after the other. The destructor finishes what has been given and
/// joins.
class BackgroundThread {
public:
    using Work = std::move_only_function<void()>;

    /// False: after finish(), and the work is not done.
    bool run(Work work) {
        {
            const std::scoped_lock lock(mutex_);
            if (finished_) {
                return false;
            }
            queue_.push(std::move(work));
        }
        news_.notify_one();
        return true;
    }

    /// Finishes what has been given; nothing more is taken.
    void finish() {
        {
            const std::scoped_lock lock(mutex_);
            finished_ = true;
        }
        thread_.request_stop();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

private:
    void serve(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        for (;;) {
            news_.wait(lock, stop, [this] { return !queue_.empty(); });
            if (queue_.empty()) {
                return;
            }
            auto work = std::move(queue_.front());
            queue_.pop();
            lock.unlock();
            work();
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable_any news_;
    std::queue<Work> queue_;
    bool finished_ = false;
    std::jthread thread_{[this](const std::stop_token& stop) { serve(stop); }};  // last: uses all
};

}  // namespace weir::gateway
