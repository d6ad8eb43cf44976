// The log lines of a server that goes up and down. Pure: time is an argument.
#pragma once

#include "net/log_limit.h"
#include "shared/health.h"

#include <weir/types.h>

#include <optional>
#include <string>

namespace weir::shared {

/// One line when it goes down, one for each further reason, one when it is up again for good: a
/// server that answers PINGs and refuses calls says one line in all.
class StateLog {
public:
    struct Line {
        LogLevel level;
        std::string text;  // behind the server's name
    };

    /// Whenever `health` may have changed.
    std::optional<Line> next(const Health& health, Instant now);

private:
    std::optional<bool> told_;  // up or down
    Instant down_since_{};
    StoreError reason_ = StoreError::down;
    net::LogLimit limit_;
};

}  // namespace weir::shared
