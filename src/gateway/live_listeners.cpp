#include "gateway/live_listeners.h"

#include <algorithm>
#include <utility>

namespace weir::gateway {
namespace {

// X-Accel-Buffering: nginx passes each event on at once.
constexpr std::string_view kEventStream =
    "Content-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n";

}  // namespace

net::Task<void> LiveListeners::serve(net::Downstream& downstream) {
    Listener listener(downstream);
    listening_.push_back(&listener);
    count_ = listening_.size();
    joined_();
    downstream.watch(
        [](void* self) {
            auto& one = *static_cast<Listener*>(self);
            one.gone = true;
            one.news.notify();
        },
        &listener);
    co_await send_frames(listener);
    downstream.unwatch();
    std::erase(listening_, &listener);
    count_ = listening_.size();
}

net::Task<void> LiveListeners::send_frames(Listener& listener) {
    auto& downstream = listener.downstream;
    auto sent = co_await downstream.begin(200, kEventStream, std::nullopt);
    if (sent) {
        sent = co_await downstream.flush();
    }
    while (sent) {
        if (!listener.over) {  // it may have become so within a write
            co_await listener.news.wait();
        }
        if (listener.gone) {
            co_return;
        }
        const Frame frame = std::exchange(listener.next, nullptr);
        if (listener.over) {
            (void)co_await downstream.end();
            co_return;
        }
        // JSON on one line: there is nothing to escape.
        const std::string event = "data: " + *frame + "\n\n";
        sent = co_await downstream.write(event);
        listener.missed = 0;
    }
}

void LiveListeners::publish(const Frame& frame) {
    std::vector<net::Downstream*> slow;
    for (Listener* listener : listening_) {
        if (++listener->missed > kMostMissed) {
            slow.push_back(&listener->downstream);
        } else if (!listener->over) {
            listener->next = frame;
            listener->news.notify();
        }
    }
    // Each is within a write, which now fails: its coroutine may leave the list at once.
    for (net::Downstream* one : slow) {
        one->abort();
    }
}

void LiveListeners::end() {
    ended_ = true;
    cut();
}

void LiveListeners::cut() {
    for (Listener* listener : listening_) {
        listener->over = true;
        listener->news.notify();
    }
}

}  // namespace weir::gateway
