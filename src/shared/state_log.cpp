#include "shared/state_log.h"

#include <chrono>

namespace weir::shared {

std::optional<StateLog::Line> StateLog::next(const Health& health, Instant now) {
    if (health.up()) {
        if (told_ == true || (told_ == false && !health.proven(now))) {
            return std::nullopt;
        }
        std::string text = "is up";
        if (told_) {
            const auto seconds = std::chrono::round<std::chrono::seconds>(now - down_since_);
            text += " again after " + std::to_string(seconds.count()) + " s";
        }
        told_ = true;
        return Line{LogLevel::info, std::move(text)};
    }
    const bool fresh = told_ != false;
    if ((!fresh && reason_ == health.why().error) || !limit_.admit(now)) {
        return std::nullopt;
    }
    if (fresh) {
        down_since_ = now;
    }
    told_ = false;
    reason_ = health.why().error;
    return Line{LogLevel::warn, "is down: " + health.why().text};
}

}  // namespace weir::shared
