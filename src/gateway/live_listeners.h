// Who listens to GET /events. On the admin port's loop only, but for count().
#pragma once

#include "net/server.h"
#include "net/signal.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::gateway {

/// Hands each frame to every listener.
///
/// Memory is bounded: at most kMost listeners, and each holds one frame that it has not written
/// yet. A newer frame takes the place of the older one. A listener whose client has taken nothing
/// during kMostMissed frames is cut off.
class LiveListeners {
public:
    using Frame = std::shared_ptr<const std::string>;
    static constexpr std::size_t kMost = 16;
    static constexpr unsigned kMostMissed = 10;

    /// `joined` is called when one more listens.
    explicit LiveListeners(std::function<void()> joined) : joined_(std::move(joined)) {}
    LiveListeners(const LiveListeners&) = delete;
    LiveListeners& operator=(const LiveListeners&) = delete;

    bool full() const { return listening_.size() >= kMost || ended_; }
    /// Sends frames as server-sent events until the client leaves or end() is called. Not if
    /// full().
    net::Task<void> serve(net::Downstream& downstream);

    void publish(const Frame& frame);
    /// Ends every stream in order, those that do not read soon after: who may listen has changed.
    void cut();
    /// The same, and nobody is served after it.
    void end();

    /// Thread-safe.
    std::size_t count() const { return count_.load(std::memory_order_relaxed); }

private:
    struct Listener {
        explicit Listener(net::Downstream& to) : downstream(to), news(to.loop()) {}
        net::Downstream& downstream;
        net::Signal news;
        Frame next;
        unsigned missed = 0;  ///< frames since the client took one
        bool gone = false;
        bool over = false;  ///< it takes no more frames
    };

    net::Task<void> send_frames(Listener& listener);

    std::function<void()> joined_;
    std::vector<Listener*> listening_;
    std::atomic<std::size_t> count_{0};
    bool ended_ = false;
};

}  // namespace weir::gateway
