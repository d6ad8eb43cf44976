// Whether a server counts as up, and when it is asked again. Pure: time is an argument.
#pragma once

#include "shared/failure.h"

#include <weir/time.h>

#include <chrono>
#include <cstdint>
#include <random>

namespace weir::shared {

/// A call that is not answered within this time has failed, and the server is down.
inline constexpr Duration kPatience = std::chrono::milliseconds(50);

/// A server is up from an answer in time until a failure that concerns it. While it is down it is
/// probed after kFirst, doubling to kLast, each with a quarter of jitter. A probe's answer alone
/// does not reset that delay, since a full server or a replica answers a PING: a script's answer
/// does, or kSettled without a failure.
class Health {
public:
    static constexpr Duration kFirst = std::chrono::milliseconds(100);
    static constexpr Duration kLast = std::chrono::seconds(2);
    static constexpr Duration kSettled = std::chrono::seconds(2);

    Health(Instant now, std::uint64_t seed);

    bool up() const { return up_; }
    /// The last reason to be down.
    const StoreFailure& why() const { return why_; }
    /// While down: when to probe.
    Instant next_probe() const { return next_probe_; }
    /// Up, and not only by the answer to a probe a moment ago.
    bool proven(Instant now) const;

    /// An answer came in time. `script`: to a call, not to a PING.
    void answered(Instant now, bool script);
    /// A failure that concerns the server. Of no effect while it is down: calls that were under way
    /// when it went down fail one after the other.
    void failed(Instant now, StoreFailure why);
    void probe_failed(Instant now, StoreFailure why);

private:
    void go_down(Instant now, StoreFailure why);

    bool up_ = false;
    Instant since_;
    Duration delay_{0};
    Instant next_probe_;
    StoreFailure why_;
    std::minstd_rand random_;
};

}  // namespace weir::shared
