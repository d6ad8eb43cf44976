// Jitter's only source: a seeded generator, so that a run can be repeated exactly.
#pragma once

#include <weir/split_mix.h>
#include <weir/time.h>

namespace weir::policy {

class Random : public SplitMix64 {
public:
    using SplitMix64::SplitMix64;

    Duration between(Duration low, Duration high) {
        return low + from_seconds(to_seconds(high - low) * uniform());
    }
};

}  // namespace weir::policy
