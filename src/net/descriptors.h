// File descriptors: as many as we may have.
#pragma once

#include <cstddef>

namespace weir::net {

/// Raises the process's soft limit of descriptors to its hard limit; the limit that now holds.
std::size_t raise_descriptor_limit();

}  // namespace weir::net
