#include "net/signal.h"

namespace weir::net {

Task<void> Signal::wait() {
    if (!notified_) {
        co_await parked_.wait();
    }
    notified_ = false;
}

void Signal::notify() {
    if (!notified_) {
        notified_ = true;
        parked_.resume();
    }
}

}  // namespace weir::net
