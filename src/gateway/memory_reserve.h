// What is given back when memory runs out.
#pragma once

#include <cstddef>

namespace weir::gateway {

/// Sets memory aside, and gives it back when `operator new` finds none: the allocation that failed
/// is then tried again, and what is under way ends in order. It replaces the process's new handler,
/// so it is for a program's main, once; a library has no business there.
void keep_memory_reserve(std::size_t bytes = std::size_t{4} << 20);

/// The reserve is spent and cannot be had back yet: nothing new should be begun. False where none
/// is kept. Thread-safe.
bool memory_is_short();

}  // namespace weir::gateway
