// How much of what a target grants goes to one queue while it has calls waiting.
#pragma once

#include <algorithm>

namespace weir::policy {

/// What stands in other queues now does not tell a heavy client when its turn comes: lighter ones
/// will come and go first. This measures it. `total` is a counter of all that the target has
/// granted, ever.
class ServedPart {
public:
    void filled(double total) { mark_ = total; }
    /// A call of this queue is about to be granted `cost`, which is not in the total yet.
    void served(double cost, bool last) {
        taken_ += cost;
        passed_ += last ? cost : 0;  // emptied() comes before the total has it
    }
    void emptied(double total) { pass(total); }

    /// `expected`: the part that the shares promise, believed until `weight` has been granted.
    /// What is older than `memory` fades.
    double part(double total, double expected, double weight, double memory) {
        pass(total);
        while (passed_ > memory) {
            passed_ /= 2;
            taken_ /= 2;
        }
        return std::min(1.0, (taken_ + weight * expected) / (passed_ + weight));
    }

private:
    void pass(double total) {
        passed_ += std::max(0.0, total - mark_);
        mark_ = total;
    }

    double taken_ = 0;   // by this queue
    double passed_ = 0;  // by all, while this queue had calls waiting
    double mark_ = 0;
};

}  // namespace weir::policy
