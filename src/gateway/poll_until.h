// Waiting for what nobody announces.
#pragma once

#include <weir/time.h>

#include <thread>

namespace weir::gateway {

/// Asks every `pause` whether it is `done`, for `most` at most. False: it is not. Blocks.
template <class Done>
bool poll_until(Done done, Duration pause, Duration most) {
    for (Duration left = most; !done(); left -= pause) {
        if (left <= Duration::zero()) {
            return false;
        }
        std::this_thread::sleep_for(pause);
    }
    return true;
}

}  // namespace weir::gateway
