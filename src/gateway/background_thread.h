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

    void run(Work work) {
        {
            const std::scoped_lock lock(mutex_);
            queue_.push(std::move(work));
        }
        news_.notify_one();
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
    std::jthread thread_{[this](const std::stop_token& stop) { serve(stop); }};  // last: uses all
};

}  // namespace weir::gateway
