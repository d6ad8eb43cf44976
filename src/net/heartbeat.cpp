#include "net/heartbeat.h"

#include "net/loop.h"

#include <condition_variable>
#include <memory>
#include <mutex>

namespace weir::net {
namespace {

/// Kept by each loop until it has answered, which may be after the one who asked has gone.
struct Answers {
    std::mutex mutex;
    std::condition_variable all;
    std::size_t missing = 0;
};

}  // namespace

bool all_turn(std::span<Loop* const> loops, Duration within) {
    const auto answers = std::make_shared<Answers>();
    answers->missing = loops.size();
    for (Loop* loop : loops) {
        loop->post([answers] {
            const std::scoped_lock lock(answers->mutex);
            if (--answers->missing == 0) {
                answers->all.notify_one();
            }
        });
    }
    std::unique_lock lock(answers->mutex);
    return answers->all.wait_for(lock, within, [&] { return answers->missing == 0; });
}

}  // namespace weir::net
