// Whether a queue is deep because of a burst or because of a standing overload.
#pragma once

#include <weir/time.h>

namespace weir::policy {

/// Controlled delay for one queue (CoDel, RFC 8289; Maurer, "Fail at Scale", ACM Queue 2015).
///
/// A burst is worth queueing: the queue empties afterwards and all calls are served. In a standing
/// overload the queue never empties, and its depth adds wait and serves nobody.
///
/// A queue that refusals keep short is often empty although the load is still too high. So refused
/// calls count as `debt`: the time that this queue would have needed to serve them. Debt is worked
/// off while the queue is empty. The queue is clear when it is empty and without debt, which is
/// when the queue would be empty if no call had been refused.
///
/// The overload is standing once the queue has not been clear for `interval` and has `enough` debt;
/// it ends when the queue is clear. A queue that refuses only calls beyond
/// max_wait collects debt slowly in a light overload and fast in a heavy one.
class ControlledDelay {
public:
    explicit ControlledDelay(Instant now) : clear_(now), empty_since_(now) {}

    /// The first call has come to the empty queue.
    void filled(Instant now);
    /// The last call has left the queue. These two may be repeated.
    void emptied(Instant now);
    /// A call was refused that would have taken `service`. Debt grows to `most` and no further.
    void refused(Duration service, Duration most, Instant now);

    bool standing(Duration interval, Duration enough, Instant now);
    Duration debt(Instant now);

private:
    void work_off(Instant now);

    Duration debt_{};
    Instant clear_;        ///< when it was clear last
    Instant empty_since_;  ///< debt is worked off up to here; Instant::max(): not empty
    bool standing_ = false;
};

}  // namespace weir::policy
