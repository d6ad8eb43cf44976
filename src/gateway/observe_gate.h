// One lock round one shadow engine.
#pragma once

#include "net/loop.h"
#include "policy/shadow.h"

#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

namespace weir::gateway {

/// Thread-safe. Where the shadow shares its quotas with other instances, its timer and all that it
/// sends belong to `loop`, on whose thread it must be destroyed, or after the loop.
class ObserveGate {
public:
    ObserveGate(Config config, std::uint64_t seed, net::Loop& loop);

    void offer(const Call& call);
    void ended(CallId id, const policy::Shadow::Outcome& outcome);
    void reconfigure(Config config);
    std::vector<policy::ObservedRow> rows();
    std::vector<policy::ObservedAdvice> advice();

    /// As EngineGate's, on the thread of `loop`.
    using Send = std::function<void(std::vector<BookExchange>)>;
    void share(Send send) { send_ = std::move(send); }
    void answered(const BookAnswer& answer);
    void unanswered(std::string_view quota);
    void leave();
    bool left();
    std::vector<SharedStatus> shared();

private:
    template <class Do>
    auto locked(Do act);
    void note_due();
    void on_timer();

    net::Loop& loop_;
    std::mutex mutex_;
    policy::Shadow shadow_;  // guarded by mutex_
    Instant armed_ =
        Instant::max();  // guarded by mutex_: what the timer is, or is about to be, set to
    net::Timer timer_;   // the loop's thread only
    Send send_;          // empty: this instance counts alone
};

}  // namespace weir::gateway
