// The ways to send a trace that a plan can compare.
#pragma once

#include "plan/result.h"

namespace weir::plan {

/// The engine, driven as the gateway drives it.
Result<Outcome> play_weir(const Scenario& scenario);

enum class Loop : std::uint8_t {
    article,       ///< the AWS article's: 5 tries, 1 s doubling, for throttling alone
    sdk_standard,  ///< the AWS SDKs since November 2026: 3 tries, full jitter, a retry quota
    sdk_adaptive   ///< the same with a rate of sending for each client
};

/// Programs that call the home Region and retry by themselves; each client of the trace is one.
Result<Outcome> play_loop(const Scenario& scenario, Loop loop);

}  // namespace weir::plan
