// Figures as messages and reports write them for people.
#pragma once

#include <string>

namespace weir::observe {

/// 1,234,567. Not for values below zero.
std::string grouped(double value);

/// "98.3 %". Only a share of exactly 1 is written as 100.0 %.
std::string percent(double share);

}  // namespace weir::observe
