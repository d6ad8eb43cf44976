// An answer that another thread works out, while the loop that waits for it serves others.
#pragma once

#include "net/loop.h"
#include "net/signal.h"

#include <functional>
#include <memory>
#include <utility>

namespace weir::gateway {

template <class Answer>
struct Pending {
    explicit Pending(net::Loop& loop) : done(loop) {}
    net::Signal done;
    Answer answer;
};

/// Takes the answer back to the loop that waits for it.
template <class Answer>
std::function<void(Answer)> answer_to(const std::shared_ptr<Pending<Answer>>& pending,
                                      net::Loop& loop) {
    return [pending, &loop](Answer answer) {
        loop.post([pending, answer = std::move(answer)]() mutable {
            pending->answer = std::move(answer);
            pending->done.notify();
        });
    };
}

}  // namespace weir::gateway
