#include "policy/controlled_delay.h"

#include <algorithm>

namespace weir::policy {

void ControlledDelay::work_off(Instant now) {
    if (now < empty_since_) {
        return;
    }
    debt_ = std::max<Duration>(Duration::zero(), debt_ - (now - empty_since_));
    empty_since_ = now;
    if (debt_ == Duration::zero()) {
        clear_ = now;
        standing_ = false;
    }
}

void ControlledDelay::filled(Instant now) {
    work_off(now);
    empty_since_ = Instant::max();
}

void ControlledDelay::emptied(Instant now) {
    empty_since_ = std::min(empty_since_, now);
    work_off(now);
}

void ControlledDelay::refused(Duration service, Duration most, Instant now) {
    work_off(now);
    debt_ = std::max(debt_, std::min<Duration>(debt_ + service, most));
}

bool ControlledDelay::standing(Duration interval, Duration enough, Instant now) {
    work_off(now);
    standing_ = standing_ || (now - clear_ >= interval && debt_ >= enough);
    return standing_;
}

Duration ControlledDelay::debt(Instant now) {
    work_off(now);
    return debt_;
}

}  // namespace weir::policy
