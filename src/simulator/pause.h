// Waiting that ends early when the client leaves or the simulator stops.
#pragma once

#include "net/loop.h"
#include "net/server.h"
#include "net/signal.h"

#include <weir/time.h>

#include <vector>

namespace weir::simulator {

/// The pauses of one loop, so that stopping can end them all. On the loop's thread only.
class Pauses {
public:
    void end_all();
    bool ended() const { return ended_; }

private:
    friend class Pause;
    std::vector<class Pause*> open_;
    bool ended_ = false;
};

/// One per exchange. Watches the client from construction to destruction.
class Pause {
public:
    Pause(net::Downstream& down, Pauses& pauses);
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

    /// True: the time has come. False: the client has left, or the simulator stops.
    net::Task<bool> until(Instant when);
    /// Returns when the client has left or the simulator stops.
    net::Task<void> for_ever();
    bool over() const { return over_ || pauses_.ended(); }

private:
    friend class Pauses;
    static void fire(void* self);
    static void left(void* self);

    net::Downstream& down_;
    Pauses& pauses_;
    net::Signal signal_;
    net::Timer timer_;
    bool over_ = false;
};

}  // namespace weir::simulator
