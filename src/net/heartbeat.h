// Do the loops still turn? For a watchdog.
#pragma once

#include <weir/types.h>

#include <span>

namespace weir::net {

class Loop;

/// Whether each loop has run what it was just posted, within `within`. Blocks: not for a loop.
bool all_turn(std::span<Loop* const> loops, Duration within);

}  // namespace weir::net
