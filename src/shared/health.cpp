#include "shared/health.h"

#include <algorithm>
#include <utility>

namespace weir::shared {

Health::Health(Instant now, std::uint64_t seed)
    : since_(now),
      next_probe_(now),
      why_{StoreError::connection, "not connected yet"},
      random_(static_cast<std::minstd_rand::result_type>(seed)) {}

bool Health::proven(Instant now) const {
    return up_ && (delay_ == Duration::zero() || now - since_ >= kSettled);
}

void Health::answered(Instant now, bool script) {
    if (!up_) {
        up_ = true;
        since_ = now;
    }
    if (script) {
        delay_ = Duration::zero();
    }
}

void Health::failed(Instant now, StoreFailure why) {
    if (up_) {
        if (proven(now)) {
            delay_ = Duration::zero();
        }
        go_down(now, std::move(why));
    }
}

void Health::probe_failed(Instant now, StoreFailure why) {
    go_down(now, std::move(why));
}

void Health::go_down(Instant now, StoreFailure why) {
    if (up_) {
        up_ = false;
        since_ = now;
    }
    why_ = std::move(why);
    delay_ = delay_ == Duration::zero() ? kFirst : std::min(delay_ * 2, kLast);
    const double jitter = std::uniform_real_distribution<double>(0.75, 1.25)(random_);
    next_probe_ = now + from_seconds(to_seconds(delay_) * jitter);
}

}  // namespace weir::shared
