#include "simulator/pause.h"

#include <algorithm>

namespace weir::simulator {

void Pauses::end_all() {
    ended_ = true;
    for (Pause* pause : open_) {
        pause->signal_.notify();
    }
}

Pause::Pause(net::Downstream& down, Pauses& pauses)
    : down_(down),
      pauses_(pauses),
      signal_(down.loop()),
      timer_(down.loop().wheel(), &Pause::fire, this) {
    pauses_.open_.push_back(this);
}

Pause::~Pause() {
    std::erase(pauses_.open_, this);
}

void Pause::fire(void* self) {
    static_cast<Pause*>(self)->signal_.notify();
}

void Pause::left(void* self) {
    auto* pause = static_cast<Pause*>(self);
    pause->over_ = true;
    pause->signal_.notify();
}

net::Task<bool> Pause::until(Instant when) {
    down_.watch(&Pause::left, this);
    while (!over() && std::chrono::steady_clock::now() < when) {
        timer_.set(when);
        co_await signal_.wait();
    }
    timer_.clear();
    down_.unwatch();
    co_return !over();
}

net::Task<void> Pause::for_ever() {
    down_.watch(&Pause::left, this);
    while (!over()) {
        co_await signal_.wait();
    }
    down_.unwatch();
}

}  // namespace weir::simulator
