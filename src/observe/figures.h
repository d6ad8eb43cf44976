// Figures as messages and reports write them for people.
#pragma once

#include <cstdint>
#include <string>

namespace weir::observe {

/// 1,234,567. Not for values below zero.
std::string grouped(double value);

/// Likewise.
std::string figure(std::uint64_t value);

/// "98.3 %". Only a share of exactly 1 is written as 100.0 %.
std::string percent(double share);

/// Whether `cost` would fit the whole of a limit: what keeps the call back is then the part that
/// weir leaves unused (policy::kHeadRoom), which a message has to say.
bool fits_the_whole(std::uint64_t used, std::uint64_t cost, std::uint64_t limit);

}  // namespace weir::observe
